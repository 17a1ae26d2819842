"""What the caller reads: the headers of every answer and the body of a refusal (the project's wire contract).

The shape of the error is OpenAI's, so that their SDKs raise it; `x-should-retry: false` keeps them from trying again.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from budgets.budget import PICO, Budget, Entries, Measure
from budgets.decision import Balance, Decision, Refusal
from budgets.pricing.prices import usd

BUSY_FOR = 5
"""Seconds after which a call may be tried again that only calls under way kept out; most are over by then."""

_MICRO = PICO // 10**6


def headers(decision: Decision) -> dict[str, str]:
    """Of the tightest budget; where one has refused, that is the one."""
    balance = decision.tightest
    limits = _limit_headers(balance) if balance else {}
    if decision.admitted:
        return limits
    busy = decision.refusal is Refusal.RESERVED
    refused_by = decision.refused_by
    waiting = {"retry-after": str(BUSY_FOR if busy else refused_by.reset_in)} if refused_by else {}
    return {**limits, **waiting, "x-should-retry": str(busy).lower(), "content-type": "application/json"}


def body(decision: Decision, descriptors: Sequence[Entries]) -> bytes:
    """The body of a 429; empty where the decision admits."""
    if decision.refusal is None:
        return b""
    error: dict[str, object] = {
        "message": _message(decision, descriptors),
        "type": "budget_exceeded",
        "code": decision.refusal.value,
        "param": None,
    }
    if decision.refused_by:
        error["budget"] = balance_object(decision.refused_by) | {"retryable": decision.refusal is Refusal.RESERVED}
    return json.dumps({"error": error}, ensure_ascii=False).encode()


def balance_object(balance: Balance) -> dict[str, object]:
    """The `budget` object of the contract: what it is, what is left, and when it resets.

    Tokens are numbers; dollars are decimal text, which is exact.
    """
    budget = balance.budget
    return {
        "id": budget.id,
        "subject": dict(budget.subject),
        "unit": budget.measure.value,
        "limit": amount(budget, budget.limit),
        "used": amount(budget, balance.used),
        "reserved": amount(budget, balance.reserved),
        "remaining": amount(budget, balance.remaining),
        "window": budget.window.unit.value,
        "alignment": budget.window.alignment,
        "action": budget.action.value,
        "reset_at": timestamp(balance.reset_at),
        "retryable": False,
    }


def amount(budget: Budget, value: int) -> int | str:
    return value if budget.measure is Measure.TOKENS else usd(value)


def spoken(budget: Budget, value: int) -> str:
    """For a sentence, without its unit."""
    return f"{value:,}" if budget.measure is Measure.TOKENS else usd(value)


def unit(budget: Budget) -> str:
    return "tokens" if budget.measure is Measure.TOKENS else "USD"


def timestamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _limit_headers(balance: Balance) -> dict[str, str]:
    """In whole numbers, which is all that clients parse: a budget in dollars is told in millionths of one."""
    budget = balance.budget
    figures: Mapping[str, int] = {"x-ratelimit-limit": budget.limit, "x-ratelimit-remaining": balance.remaining}
    if budget.measure is Measure.USD:
        told = {name: str(figure // _MICRO) for name, figure in figures.items()} | {"x-ratelimit-unit": "micro-usd"}
    else:
        told = {name: str(figure) for name, figure in figures.items()}
    return told | {"x-ratelimit-reset": str(balance.reset_in)}


def _message(decision: Decision, descriptors: Sequence[Entries]) -> str:
    balance = decision.refused_by
    if balance:
        return _spent(balance)
    if decision.refusal is Refusal.UNPRICED:
        named = f"The model {decision.model[:200]!r} has no price" if decision.model else "The request names no model"
        return f"{named}, and a budget in USD cannot be kept without one. Whoever owns the model catalog can add it."
    asked = "; ".join(", ".join(f"{key}={value}" for key, value in entries) for entries in descriptors)
    return f"No budget covers this caller ({asked[:400]}). Whoever owns the budget policy can add one."


def _spent(balance: Balance) -> str:
    budget = balance.budget
    used, limit, reserved = (spoken(budget, value) for value in (balance.used, budget.limit, balance.reserved))
    if balance.spent:
        return f"Budget '{budget.id}' is spent: {used} of {limit} {unit(budget)}. Resets in {balance.reset_in:,} s."
    return (
        f"Budget '{budget.id}' has no room while calls are under way: {used} of {limit} {unit(budget)} are used, "
        f"and {reserved} reserved. Try again in {BUSY_FOR} s."
    )
