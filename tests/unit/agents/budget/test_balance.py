import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.budget.balance import LARGEST, Balance
from agents.budget.texts import MOST, NO_BUDGET, UNKNOWN, say_balance, say_meter
from agents.llm.connection import Connection
from agents.llm.meter import LastMeter
from agents.outcomes import Meter
from tests.unit.agents.doubles import BUDGET, NOON, Gateway, answer, settings, token

pytestmark = pytest.mark.anyio

LEFT: dict[str, Any] = {
    **BUDGET,
    "used": 713,
    "reserved": 0,
    "remaining": 4287,
    "reset_at": "2026-11-21T15:00:00Z",
    "spent_at": "2026-11-21T14:50:00Z",
}


async def describe(gateway: Gateway, meter: Meter | None = None, **changes: object) -> str:
    last = LastMeter()
    if meter:
        last.read(meter)
    connection = Connection(settings(**changes), httpx.MockTransport(gateway))
    try:
        return await Balance(connection, last).describe()
    finally:
        await connection.aclose()


@pytest.mark.parametrize(
    ("llm_url", "asked"),
    [
        ("http://gateway:8090/v1/chat/completions", "http://gateway:8090/v1/budget"),
        ("http://gateway:8090/v1/chat/completions/", "http://gateway:8090/v1/budget"),
        ("https://gateway/openai/v1", "https://gateway/openai/v1/budget"),
    ],
)
async def test_the_gateway_is_asked_beside_its_completions_with_the_agents_own_credential(llm_url: str, asked: str) -> None:
    gateway = Gateway(answer(200, {"budgets": []}))
    assert await describe(gateway, llm_url=llm_url) == NO_BUDGET
    (request,) = gateway.requests
    assert (request.method, str(request.url)) == ("GET", asked)
    assert request.headers["authorization"] == f"Bearer {token(team='dba')}"


async def test_each_budget_that_applies_is_told() -> None:
    document = {"budgets": [LEFT, "no budget", {**LEFT, "id": "dollars", "unit": "usd", "limit": "10.00", "remaining": "2.5"}]}
    first, second = (await describe(Gateway(answer(200, document)))).splitlines()
    assert first.startswith("team-token-budget/dba/hour: 4,287 of 5,000 tokens are left.")
    assert second.startswith("dollars: 2.50 of 10.00 USD are left.")


@pytest.mark.parametrize(
    "reply",
    [
        answer(404),
        answer(401, {"budgets": [LEFT]}),
        answer(500),
        httpx.Response(200, text="rubbish"),
        answer(200, []),
        answer(200, {"budgets": 7}),
        httpx.Response(200, content=json.dumps({"budgets": [LEFT]}).encode().ljust(LARGEST + 1)),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
    ],
)
async def test_a_gateway_that_does_not_say_leaves_the_last_answers_meter(reply: httpx.Response | Exception) -> None:
    meter = Meter(5000, 4287, 1200)
    assert (
        await describe(Gateway(reply), meter) == "By the last answer, 4,287 of 5,000 tokens are left. It resets in 20 minutes."
    )
    gateway = Gateway(reply)
    assert await describe(gateway) == UNKNOWN
    assert len(gateway.requests) == 1


@pytest.mark.parametrize(
    ("meter", "text"),
    [
        (None, UNKNOWN),
        (Meter(5000, None, 60), UNKNOWN),
        (Meter(None, 4287, None), "By the last answer, 4,287 tokens are left."),
        (Meter(5_000_000, 1_234_567, 60, "micro-usd"), "By the last answer, 1.23 of 5.00 USD are left. It resets in 1 minute."),
    ],
)
def test_a_meter_in_words(meter: Meter | None, text: str) -> None:
    assert say_meter(meter) == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "It resets at 15:00 UTC, in 20 minutes. At the rate of the last minutes it is spent at 14:50 UTC."),
        (
            {"reserved": 300, "spent_at": None},
            "Calls under way have reserved 300 tokens besides. It resets at 15:00 UTC, in 20 minutes.",
        ),
        ({"reset_at": "2026-11-21T14:00:00Z", "spent_at": "2026-11-21T14:00:00Z"}, ""),
        ({"reset_at": "soon", "spent_at": 7}, ""),
    ],
)
def test_a_budget_in_words(changes: dict[str, object], text: str) -> None:
    line = say_balance([{**LEFT, **changes}], NOON)
    assert line == f"team-token-budget/dba/hour: 4,287 of 5,000 tokens are left. {text}".strip()


def test_of_many_budgets_the_first_are_told() -> None:
    assert len(say_balance([LEFT] * 100, NOON).splitlines()) == MOST == 20


@pytest.mark.parametrize("remaining", [None, "many", "NaN", "Infinity", [], {}])
def test_a_number_that_is_none_is_unknown(remaining: object) -> None:
    assert "an unknown number of 5,000 tokens are left" in say_balance([{**LEFT, "remaining": remaining}], NOON)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=3,
)


@given(
    st.dictionaries(st.sampled_from([*LEFT, "unit"]), anything | st.from_regex(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", fullmatch=True))
)
def test_no_budget_of_a_gateway_makes_it_raise(budget: dict[str, object]) -> None:
    said = say_balance([json.loads(json.dumps(budget))], datetime(2026, 11, 21, tzinfo=UTC))
    assert "are left." in said


@pytest.mark.parametrize("unit", ["tokens", "usd", "micro-usd"])
@pytest.mark.parametrize("number", ["1e5000", "1e50000", "1e999999999999999", "9" * 5000])
def test_a_number_without_end_is_not_written_out(number: str, unit: str) -> None:
    assert len(say_balance([{"unit": unit, "remaining": number}], NOON)) < 200
