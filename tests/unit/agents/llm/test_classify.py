import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm.classify import QUOTE, classify
from agents.outcomes import (
    Answered,
    BudgetExhausted,
    IdentityRefused,
    Meter,
    Outcome,
    RequestRefused,
    Throttled,
    UpstreamFailed,
)
from agents.texts import reply_to
from agents.usage import Usage
from tests.unit.agents.doubles import BUDGET, SPENT_BODY, completion


def classified(status: int, document: object = None, **headers: str) -> Outcome:
    body = b"" if document is None else json.dumps(document).encode()
    return classify(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def test_an_answer_carries_text_usage_and_meter() -> None:
    outcome = classified(
        200, completion("Hello."), X_RateLimit_Limit="5000", X_RateLimit_Remaining="4287", X_RateLimit_Reset="1200"
    )
    assert outcome == Answered("Hello.", Usage(13, 700, 713), Meter(5000, 4287, 1200))


def test_a_total_that_is_missing_is_added_up() -> None:
    document = completion()
    del document["usage"]["total_tokens"]
    assert classified(200, document) == Answered("An essay.", Usage(13, 700, 713), Meter())


@pytest.mark.parametrize("usage", [None, [], "none"])
def test_an_answer_without_usage_is_an_answer(usage: object) -> None:
    assert classified(200, completion() | {"usage": usage}) == Answered("An essay.", None, Meter())


def test_our_own_refusal_carries_the_budget_as_it_came() -> None:
    outcome = classified(
        429,
        SPENT_BODY,
        x_ratelimit_limit="5000",
        x_ratelimit_remaining="0",
        x_ratelimit_reset="1234",
        retry_after="1235",
        x_should_retry="false",
    )
    assert outcome == BudgetExhausted(
        status=429,
        budget=BUDGET,
        resets_at=datetime(2026, 11, 21, 15, tzinfo=UTC),
        resets_in=1234,
        meter=Meter(5000, 0, 1234),
    )


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"rate limit exceeded", {}),
        (b"Rate limit exceeded\n", {"content-type": "text/plain"}),
        (b"", {"x-ratelimit-remaining": "0"}),
        (b" \n", {"X-RateLimit-Remaining": "0, 0;w=3600"}),
        (b"", {"x-envoy-ratelimited": "true"}),
        (b"anything", {"X-Envoy-RateLimited": ""}),
    ],
)
def test_a_spent_budget_as_other_gateways_say_it(body: bytes, headers: dict[str, str]) -> None:
    assert isinstance(classify(429, headers, body), BudgetExhausted)


@pytest.mark.parametrize("status", [400, 402, 403, 412, 422, 429])
@pytest.mark.parametrize("code", ["budget_exceeded", "insufficient_quota", "spend_limit_exceeded", "budget_exhausted"])
def test_a_budget_code_is_a_spent_budget_whatever_the_status(status: int, code: str) -> None:
    for error in ({"code": code}, {"type": code}, {"type": "rate_limit_error", "code": code.upper()}):
        assert isinstance(classified(status, {"error": error}), BudgetExhausted)
    assert isinstance(classified(status, {"type": code, "message": "no more"}), BudgetExhausted)
    assert isinstance(classified(status, {"error": code}), BudgetExhausted)


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("code", ["no_budget", "model_unpriced"])
def test_a_refusal_that_waiting_does_not_mend_is_told_in_the_gateways_own_words(code: str, status: int) -> None:
    error = {"message": "No budget covers this caller.", "type": "budget_exceeded", "code": code, "param": None}
    outcome = classified(status, {"error": error}, x_envoy_ratelimited="true")
    assert outcome == RequestRefused(status, "No budget covers this caller.")
    assert reply_to(outcome, "dba") == f"The gateway refused the request (HTTP {status}: No budget covers this caller.)."


@pytest.mark.parametrize("message", [{}, {"message": None}, {"message": 7}])
def test_such_a_refusal_needs_no_message(message: dict[str, object]) -> None:
    assert isinstance(classified(429, {"error": {"code": "no_budget", **message}}), RequestRefused)


@pytest.mark.parametrize("headers", [{}, {"x_envoy_ratelimited": "true"}, {"x_ratelimit_remaining": "0"}])
def test_what_calls_under_way_have_reserved_is_not_spent(headers: dict[str, str]) -> None:
    error = {"message": "Calls under way have reserved the rest.", "type": "budget_exceeded", "code": "budget_reserved"}
    outcome = classified(429, {"error": error}, retry_after="5", **headers)
    assert outcome == Throttled(429, 5, "Calls under way have reserved the rest.")


def test_payment_required_is_a_spent_budget_without_any_code() -> None:
    assert isinstance(classified(402, {"error": {"code": 402, "message": "Insufficient credits"}}), BudgetExhausted)


@pytest.mark.parametrize("status", [403, 412, 422])
def test_these_are_no_spent_budget_without_a_code(status: int) -> None:
    assert not isinstance(classified(status, {"error": {"code": "model_not_allowed"}}), BudgetExhausted)


def test_a_busy_provider_is_not_a_spent_budget() -> None:
    error = {"message": "Rate limit reached for gpt-4o", "type": "requests", "code": "rate_limit_exceeded"}
    headers = {"retry_after": "20", "x_ratelimit_remaining_requests": "0", "x_ratelimit_remaining_tokens": "12"}
    assert classified(429, {"error": error}, **headers) == Throttled(429, 20)


@pytest.mark.parametrize("remaining", ["", "7", "none", "-0"])
def test_an_empty_429_with_something_left_is_a_busy_provider(remaining: str) -> None:
    assert classified(429, x_ratelimit_remaining=remaining) == Throttled(429, None)


@pytest.mark.parametrize("status", [401, 403])
def test_identity_is_refused(status: int) -> None:
    assert classify(status, {}, b"Jwt is missing") == IdentityRefused(status, "Jwt is missing")


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 529])
def test_an_upstream_failure(status: int) -> None:
    assert classified(status, {"error": "overloaded"}, retry_after="3") == UpstreamFailed(status, 3)


@pytest.mark.parametrize("status", [400, 404, 405, 413, 418, 302, 101])
def test_a_refused_request_is_quoted(status: int) -> None:
    assert classify(status, {}, b"  no\n such thing ") == RequestRefused(status, "no such thing")


def test_a_quote_has_a_bound_and_survives_bytes_that_are_no_text() -> None:
    outcome = classify(400, {}, b"\xff" * 10_000)
    assert isinstance(outcome, RequestRefused)
    assert len(outcome.quote) == QUOTE == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"choices": []}',
        b'{"choices": [{}]}',
        b'{"choices": {"0": 1}}',
        b'{"choices": [{"message": {"content": null}}]}',
        b'{"choices": [{"message": {"content": "  "}}]}',
        b'{"choices": [{"message": {"content": ["a"]}}]}',
        b'{"choices": [{"message": {"content": "cut',
        b"[" * 100_000,
    ],
)
def test_a_200_without_text_is_of_no_use(body: bytes) -> None:
    assert isinstance(classify(200, {}, body), RequestRefused)


def test_a_refusal_behind_a_200_is_seen() -> None:
    assert isinstance(classified(200, SPENT_BODY), BudgetExhausted)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7),
        ({"retry_after": "7.5"}, 7),
        ({"retry_after": "Sat, 21 Nov 2026 15:00:00 GMT", "date": "Sat, 21 Nov 2026 14:59:50 GMT"}, 10),
        ({"retry_after": "Sat, 21 Nov 2026 14:00:00 GMT", "date": "Sat, 21 Nov 2026 14:59:50 GMT"}, 0),
        ({"retry_after": "Sat, 21 Nov 2026 15:00:00 GMT"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-1"}, None),
        ({"retry_after": "9" * 400}, None),
        ({"retry_after": "400000000"}, None),
        ({"retry_after": "Fri, 31 Dec 9999 23:59:59 -2300", "date": "Sat, 21 Nov 2026 14:59:50 GMT"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: int | None) -> None:
    assert classified(503, **headers) == UpstreamFailed(503, seconds)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x_ratelimit_reset": "5", "retry_after": "9"}, 5),
        ({"retry_after": "9"}, 9),
        ({"x_ratelimit_reset": "1741305600000", "retry_after": "9"}, 9),
        ({"x_ratelimit_reset": "0"}, 0),
        ({}, None),
    ],
)
def test_the_reset_is_the_meters_or_else_retry_after(headers: dict[str, str], seconds: int | None) -> None:
    outcome = classified(402, **headers)
    assert isinstance(outcome, BudgetExhausted)
    assert outcome.resets_in == seconds


@pytest.mark.parametrize(
    ("reset_at", "moment"),
    [
        ("2026-11-21T15:00:00Z", datetime(2026, 11, 21, 15, tzinfo=UTC)),
        ("2026-11-21T16:00:00+01:00", datetime(2026, 11, 21, 15, tzinfo=UTC)),
        ("2026-11-21T15:00:00", datetime(2026, 11, 21, 15, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59Z", None),
        ("soon", None),
        (1741305600, None),
        (None, None),
    ],
)
def test_a_reset_that_cannot_be_believed_is_left_out(reset_at: object, moment: datetime | None) -> None:
    outcome = classified(429, {"error": {"code": "budget_exhausted", "budget": BUDGET | {"reset_at": reset_at}}})
    assert isinstance(outcome, BudgetExhausted)
    assert outcome.resets_at == moment


@pytest.mark.parametrize("budget", [None, [], "dba", 7])
def test_a_budget_that_is_no_object_is_left_out(budget: object) -> None:
    outcome = classified(429, {"error": {"code": "budget_exhausted", "budget": budget}})
    assert isinstance(outcome, BudgetExhausted)
    assert outcome.budget is None


json_documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["error", "code", "budget"]), inner),
    max_leaves=8,
)
known_names = st.sampled_from(["retry-after", "date", "x-ratelimit-remaining", "x-ratelimit-reset", "X-Envoy-RateLimited"])


@given(st.integers(100, 599), st.dictionaries(known_names | st.text(), st.text()), st.binary())
def test_no_bytes_and_no_headers_make_it_raise(status: int, headers: dict[str, str], body: bytes) -> None:
    assert isinstance(classify(status, headers, body), Outcome)


def shaped(value: Any) -> list[Any]:
    return [
        {"error": value},
        {"error": {"code": value, "type": value, "budget": value}},
        {"error": {"code": "budget_exhausted", "budget": {"reset_at": value}}},
        {"choices": value},
        {"choices": [{"message": value}]},
        {"choices": [{"message": {"content": value}}], "usage": value},
        {"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": value, "total_tokens": value}},
    ]


@given(st.sampled_from([200, 402, 429, 500]), json_documents)
def test_no_json_in_any_known_place_makes_it_raise(status: int, value: Any) -> None:
    for document in shaped(value):
        assert isinstance(classify(status, {}, json.dumps(document).encode()), Outcome)


@given(st.dictionaries(known_names, st.text(alphabet="0123456789:,.;- GMTSatNov", max_size=40)))
def test_no_number_or_date_in_a_header_makes_it_raise(headers: dict[str, str]) -> None:
    assert isinstance(classify(429, headers, b""), Throttled | BudgetExhausted)
