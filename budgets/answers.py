"""What the caller reads: the headers of every answer and the body of a refusal (the project's wire contract).

The shape of the error is OpenAI's, so that their SDKs raise it; `x-should-retry: false` keeps them from trying again.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from budgets.engine import Balance, Decision
from budgets.policy import Entries


def headers(decision: Decision) -> dict[str, str]:
    """Of the tightest budget; where one has refused, that is the one."""
    balance = decision.tightest
    limits = _limit_headers(balance) if balance else {}
    if decision.admitted:
        return limits
    waiting = {"retry-after": str(balance.reset_in)} if balance else {}
    return {**limits, **waiting, "x-should-retry": "false", "content-type": "application/json"}


def body(decision: Decision, descriptors: tuple[Entries, ...]) -> bytes:
    """The body of a 429; empty where the decision admits."""
    if decision.admitted:
        return b""
    refused_by = decision.refused_by
    error = _spent(refused_by) if refused_by else _uncovered(descriptors)
    return json.dumps({"error": error}, ensure_ascii=False).encode()


def balance_object(balance: Balance) -> dict[str, object]:
    """The `budget` object of the contract: what it is, what is left, and when it resets."""
    budget = balance.budget
    return {
        "id": budget.id,
        "subject": dict(budget.subject),
        "unit": "tokens",
        "limit": budget.limit,
        "used": balance.used,
        "remaining": balance.remaining,
        "window": budget.unit.value,
        "reset_at": datetime.fromtimestamp(balance.reset_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "retryable": False,
    }


def _limit_headers(balance: Balance) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(balance.budget.limit),
        "x-ratelimit-remaining": str(balance.remaining),
        "x-ratelimit-reset": str(balance.reset_in),
    }


def _spent(balance: Balance) -> Mapping[str, object]:
    budget = balance.budget
    message = f"Budget '{budget.id}' is spent: {balance.used:,} of {budget.limit:,} tokens. Resets in {balance.reset_in:,} s."
    return {
        "message": message,
        "type": "budget_exceeded",
        "code": "budget_exhausted",
        "param": None,
        "budget": balance_object(balance),
    }


def _uncovered(descriptors: tuple[Entries, ...]) -> Mapping[str, object]:
    asked = "; ".join(", ".join(f"{key}={value}" for key, value in entries) for entries in descriptors)
    message = f"No budget covers this caller ({asked}). Whoever owns the budget policy can add one."
    return {"message": message, "type": "budget_exceeded", "code": "no_budget", "param": None}
