import json
from datetime import UTC, datetime
from typing import Any

import pytest

from budgets.answers import BUSY_FOR, amount, balance_object, body, headers, spoken, timestamp, unit
from budgets.budget import PICO, Action, Budget, Measure
from budgets.decision import Balance, Decision, Refusal
from budgets.windows import FixedWindow, RollingWindow, Unit, Window

NOON = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp())
HOUR = FixedWindow(Unit.HOUR)
DAY = FixedWindow(Unit.DAY)
CENT = PICO // 100


def balance(
    window: Window,
    limit: int,
    used: int,
    reset_in: int,
    *,
    reserved: int = 0,
    measure: Measure = Measure.TOKENS,
    action: Action = Action.BLOCK,
) -> Balance:
    name = f"team-token-budget/dba/{window.unit.value}"
    budget = Budget(name, name, name, {"team": "dba"}, limit, measure, window, action)
    return Balance(budget, used, reserved, NOON, reset_in)


def error_of(decision: Decision, *descriptors: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(body(decision, descriptors))["error"]
    return error


def test_an_admitted_call_carries_the_tightest_budget() -> None:
    decision = Decision((balance(DAY, 50_000, 49_990, 9_000), balance(HOUR, 5_000, 100, 60)))
    assert decision.admitted
    assert headers(decision) == {"x-ratelimit-limit": "50000", "x-ratelimit-remaining": "10", "x-ratelimit-reset": "9000"}
    assert body(decision, ()) == b""


def test_a_refusal_names_the_budget_that_refused_and_never_one_that_passed() -> None:
    decision = Decision((balance(HOUR, 5_000, 5_012, 1_234), balance(DAY, 50_000, 5_012, 40_000)), refusal=Refusal.SPENT)
    assert headers(decision) == {
        "x-ratelimit-limit": "5000",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": "1234",
        "retry-after": "1234",
        "x-should-retry": "false",
        "content-type": "application/json",
    }
    assert error_of(decision) == {
        "message": "Budget 'team-token-budget/dba/hour' is spent: 5,012 of 5,000 tokens. Resets in 1,234 s.",
        "type": "budget_exceeded",
        "code": "budget_exhausted",
        "param": None,
        "budget": {
            "id": "team-token-budget/dba/hour",
            "subject": {"team": "dba"},
            "unit": "tokens",
            "limit": 5_000,
            "used": 5_012,
            "reserved": 0,
            "remaining": 0,
            "window": "hour",
            "alignment": "calendar",
            "action": "block",
            "reset_at": "2026-11-21T12:00:00Z",
            "retryable": False,
        },
    }


def test_of_two_spent_budgets_the_one_that_resets_last_is_named() -> None:
    decision = Decision((balance(HOUR, 5_000, 6_000, 60), balance(DAY, 5_500, 6_000, 7_000)), refusal=Refusal.SPENT)
    assert headers(decision)["retry-after"] == "7000"
    assert error_of(decision)["budget"]["id"] == "team-token-budget/dba/day"


@pytest.mark.parametrize("text", ["Müller", "研究"])
def test_a_refusal_spells_every_script_as_utf_8(text: str) -> None:
    refused = Decision((Balance(Budget(text, "b", "b", {"team": text}, 1, Measure.TOKENS, HOUR), 1, 0, NOON, 5),))
    assert text.encode() in body(Decision(refused.balances, refusal=Refusal.SPENT), ())


def test_an_audited_budget_is_in_no_header() -> None:
    audited = balance(HOUR, 10, 1_000, 60, action=Action.AUDIT)
    assert headers(Decision((audited,))) == {}
    blocking = balance(DAY, 50_000, 0, 9_000)
    assert headers(Decision((audited, blocking)))["x-ratelimit-limit"] == "50000"
    spent = balance(DAY, 50_000, 50_000, 9_000)
    assert headers(Decision((audited, spent), refusal=Refusal.SPENT))["x-ratelimit-limit"] == "50000"


def test_dollars_are_headers_in_whole_millionths_and_texts_that_are_exact() -> None:
    spent = balance(RollingWindow(Unit.DAY), 25 * CENT, 30 * CENT + 68_825, 60, measure=Measure.USD)
    decision = Decision((spent,), refusal=Refusal.SPENT)
    assert headers(decision) == {
        "x-ratelimit-limit": "250000",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-unit": "micro-usd",
        "x-ratelimit-reset": "60",
        "retry-after": "60",
        "x-should-retry": "false",
        "content-type": "application/json",
    }
    error = error_of(decision)
    assert error["message"] == ("Budget 'team-token-budget/dba/day' is spent: 0.300000068825 of 0.25 USD. Resets in 60 s.")
    told = {key: error["budget"][key] for key in ("unit", "limit", "used", "reserved", "remaining", "alignment")}
    assert told == {
        "unit": "usd",
        "limit": "0.25",
        "used": "0.300000068825",
        "reserved": "0",
        "remaining": "0",
        "alignment": "rolling",
    }


def test_what_is_left_of_dollars_is_rounded_down_so_that_no_client_counts_on_more() -> None:
    left = balance(DAY, PICO, PICO - 1_999_999, 60, measure=Measure.USD)
    assert headers(Decision((left,)))["x-ratelimit-remaining"] == "1"


def test_a_budget_that_calls_under_way_have_reserved_may_be_tried_again_soon() -> None:
    decision = Decision((balance(HOUR, 5_000, 4_000, 1_234, reserved=1_000),), refusal=Refusal.RESERVED)
    assert BUSY_FOR == 5
    assert headers(decision) == {
        "x-ratelimit-limit": "5000",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": "1234",
        "retry-after": "5",
        "x-should-retry": "true",
        "content-type": "application/json",
    }
    error = error_of(decision)
    assert (error["type"], error["code"]) == ("budget_exceeded", "budget_reserved")
    assert error["message"] == (
        "Budget 'team-token-budget/dba/hour' has no room while calls are under way: 4,000 of 5,000 tokens are used, "
        "and 1,000 reserved. Try again in 5 s."
    )
    assert (error["budget"]["reserved"], error["budget"]["retryable"]) == (1_000, True)


def test_a_caller_that_no_budget_covers_reads_what_was_asked() -> None:
    refused = Decision(refusal=Refusal.UNCOVERED)
    error = error_of(refused, (("window", "hour"), ("team", "ghost")), (("tier", "free"),))
    assert error == {
        "message": "No budget covers this caller (window=hour, team=ghost; tier=free). "
        "Whoever owns the budget policy can add one.",
        "type": "budget_exceeded",
        "code": "no_budget",
        "param": None,
    }
    assert headers(refused) == {"x-should-retry": "false", "content-type": "application/json"}
    assert headers(Decision()) == {}


def test_what_a_caller_chose_is_quoted_to_a_length() -> None:
    assert len(body(Decision(refusal=Refusal.UNCOVERED), ((("model", "m" * 1_000),),))) < 700
    assert len(body(Decision(refusal=Refusal.UNPRICED, model="m" * 1_000), ())) < 600


@pytest.mark.parametrize(
    ("model", "sentence"),
    [("gpt-5o", "The model 'gpt-5o' has no price, and a budget"), (None, "The request names no model, and a budget")],
)
def test_a_model_without_a_price_is_named(model: str | None, sentence: str) -> None:
    refused = Decision(refusal=Refusal.UNPRICED, model=model)
    error = error_of(refused)
    assert error["code"] == "model_unpriced"
    assert error["message"].startswith(sentence)
    assert error["message"].endswith("Whoever owns the model catalog can add it.")
    assert "budget" not in error
    assert headers(refused) == {"x-should-retry": "false", "content-type": "application/json"}


def test_an_audited_budget_says_so_in_its_object() -> None:
    assert balance_object(balance(HOUR, 10, 1_000, 60, action=Action.AUDIT))["action"] == "audit"


def test_what_is_left_is_without_what_is_reserved() -> None:
    assert balance_object(balance(HOUR, 100, 40, 60, reserved=35))["remaining"] == 25


@pytest.mark.parametrize(
    ("measure", "value", "told", "said", "named"),
    [
        (Measure.TOKENS, 1_234_567, 1_234_567, "1,234,567", "tokens"),
        (Measure.USD, 6_882_500_000, "0.0068825", "0.0068825", "USD"),
        (Measure.USD, 2 * PICO, "2", "2", "USD"),
        (Measure.USD, 1, "0.000000000001", "0.000000000001", "USD"),
        (Measure.USD, 0, "0", "0", "USD"),
    ],
)
def test_an_amount_is_a_number_of_tokens_or_the_text_of_dollars(
    measure: Measure, value: int, told: int | str, said: str, named: str
) -> None:
    budget = balance(HOUR, 1, 0, 1, measure=measure).budget
    assert (amount(budget, value), spoken(budget, value), unit(budget)) == (told, said, named)


def test_a_moment_is_told_in_utc_to_the_second() -> None:
    assert timestamp(NOON + 0.9) == "2026-11-21T12:00:00Z"
