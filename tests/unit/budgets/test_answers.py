import json
from datetime import UTC, datetime

from budgets.answers import body, headers
from budgets.engine import Balance, Decision
from budgets.policy import Budget
from service.rate_limit_config import Unit

NOON = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp())


def balance(unit: Unit, limit: int, used: int, reset_in: int) -> Balance:
    budget = Budget(f"team-token-budget/dba/{unit.value}", (("team", "dba"),), {"team": "dba"}, limit, unit)
    return Balance(budget, used, reset_in, NOON)


def test_an_admitted_call_carries_the_tightest_budget() -> None:
    decision = Decision((balance(Unit.DAY, 50_000, 49_990, 9_000), balance(Unit.HOUR, 5_000, 100, 60)), False)
    assert decision.admitted
    assert headers(decision) == {"x-ratelimit-limit": "50000", "x-ratelimit-remaining": "10", "x-ratelimit-reset": "9000"}
    assert body(decision, ()) == b""


def test_a_refusal_names_the_budget_that_refused_and_never_one_that_passed() -> None:
    decision = Decision((balance(Unit.HOUR, 5_000, 5_012, 1_234), balance(Unit.DAY, 50_000, 5_012, 40_000)), False)
    assert headers(decision) == {
        "x-ratelimit-limit": "5000",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": "1234",
        "retry-after": "1234",
        "x-should-retry": "false",
        "content-type": "application/json",
    }
    assert json.loads(body(decision, ())) == {
        "error": {
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
                "remaining": 0,
                "window": "hour",
                "reset_at": "2026-11-21T12:00:00Z",
                "retryable": False,
            },
        }
    }


def test_of_two_spent_budgets_the_one_that_resets_last_is_named() -> None:
    decision = Decision((balance(Unit.HOUR, 5_000, 6_000, 60), balance(Unit.DAY, 5_500, 6_000, 7_000)), False)
    assert headers(decision)["retry-after"] == "7000"


def test_a_budget_is_spent_when_used_equals_the_limit() -> None:
    assert not Decision((balance(Unit.HOUR, 5_000, 5_000, 60),), False).admitted
    assert Decision((balance(Unit.HOUR, 5_000, 4_999, 60),), False).admitted


def test_a_limit_of_zero_admits_nothing() -> None:
    assert not Decision((balance(Unit.HOUR, 0, 0, 60),), False).admitted


def test_a_caller_that_no_budget_covers_is_refused_unless_told_otherwise() -> None:
    descriptors = ((("window", "hour"), ("team", "ghost")),)
    refused = Decision((None,), admits_uncovered=False)
    assert not refused.admitted
    error = json.loads(body(refused, descriptors))["error"]
    assert (error["code"], "team=ghost" in error["message"]) == ("no_budget", True)
    assert headers(refused)["x-should-retry"] == "false"
    assert Decision((None,), admits_uncovered=True).admitted
    assert headers(Decision((None,), admits_uncovered=True)) == {}


def test_one_budget_that_covers_is_enough() -> None:
    assert Decision((None, balance(Unit.HOUR, 10, 0, 60)), admits_uncovered=False).admitted
    assert not Decision((None, balance(Unit.HOUR, 10, 10, 60)), admits_uncovered=True).admitted
