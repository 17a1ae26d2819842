import json
from typing import Any

import pytest

from agents.llm.classify import classify_event
from agents.outcomes import (
    BudgetExhausted,
    IdentityRefused,
    Meter,
    RequestRefused,
    Throttled,
    UpstreamFailed,
)
from tests.unit.agents.doubles import SPENT_BODY


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (SPENT_BODY["error"], BudgetExhausted),
        ({"code": 402}, BudgetExhausted),
        ({"code": 429, "message": "busy"}, Throttled),
        ({"code": 401}, IdentityRefused),
        ({"code": 400}, RequestRefused),
        ({"code": 503}, UpstreamFailed),
        ({"code": 7}, UpstreamFailed),
        ({"code": 700}, UpstreamFailed),
        ({"code": "server_error"}, UpstreamFailed),
        ({}, UpstreamFailed),
    ],
)
def test_an_error_in_the_middle_of_a_stream_says_in_its_code_what_it_would_be(error: dict[str, Any], outcome: type) -> None:
    assert isinstance(classify_event(200, json.dumps({"error": error}).encode(), {}), outcome)


@pytest.mark.parametrize(
    ("error", "status"),
    [({"code": "budget_exhausted"}, 200), ({"type": "insufficient_quota", "code": 7}, 200), ({"code": 402}, 402)],
)
def test_a_budget_spent_in_the_middle_of_a_stream_has_the_streams_status_or_its_own(error: dict[str, Any], status: int) -> None:
    outcome = classify_event(200, json.dumps({"error": error}).encode(), {})
    assert isinstance(outcome, BudgetExhausted)
    assert outcome.status == status


def test_another_failure_in_the_middle_of_a_stream_is_no_200() -> None:
    assert classify_event(200, b'{"error": {"message": "overloaded"}}', {}) == UpstreamFailed(500)


def test_the_meter_of_a_spent_budget_in_the_middle_of_a_stream_is_the_streams() -> None:
    outcome = classify_event(200, json.dumps(SPENT_BODY).encode(), {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "9"})
    assert isinstance(outcome, BudgetExhausted)
    assert outcome.meter == Meter(5000, 9, None)
