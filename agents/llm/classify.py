"""What an answer of the gateway means, from status, headers and body together: a 429 alone says nothing.

The rules are the table "What else an agent will meet" of the budget contract on the wire.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pydantic_core

from agents.llm.completion import read_document
from agents.llm.headers import read_meter, read_retry_after
from agents.outcomes import BudgetExhausted, IdentityRefused, Outcome, RequestRefused, Throttled, UpstreamFailed

QUOTE = 400
"""Characters of a refusal that are worth showing to a person."""

BUDGET_CODES = frozenset(
    {
        "budget_exhausted",  # this project
        "budget_exceeded",  # agentgateway, LiteLLM
        "insufficient_quota",  # OpenAI
        "billing_hard_limit_reached",  # OpenAI
        "insufficient_credits",  # OpenRouter
        "spend_limit_exceeded",  # Portkey and others
        "usage_limit_exceeded",
        "credit_limit_exceeded",
    }
)

NOT_OF_SPENDING = ("no_budget", "model_unpriced")
"""Codes of this project's budget service that somebody has to mend: nothing is spent, and waiting does not help."""

RESERVED = "budget_reserved"
"""Code of this project's budget service: only calls under way are in the way, which give back what they do not use."""


def classify(status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    """Pure, and total: no header and no body makes it raise."""
    headers = {name.lower(): value for name, value in headers.items()}
    document = _json(body)
    error = _error(document)
    if 200 <= status < 300 and (said := read_document(document, read_meter(headers))):
        return said
    if error.get("code") in NOT_OF_SPENDING:
        return RequestRefused(status, _message(error))
    if error.get("code") != RESERVED and _is_spent_budget(status, headers, error, body):
        return _budget_exhausted(status, headers, error)
    return _by_status(status, headers, _message(error) if error.get("code") == RESERVED else "", body)


def _by_status(status: int, headers: Mapping[str, str], reserved: str, body: bytes) -> Outcome:
    """`reserved` is what the gateway says where only calls under way are in the way."""
    if status == 429:
        return Throttled(status, read_retry_after(headers), reserved)
    if status in {401, 403}:
        return IdentityRefused(status, _quote(body))
    if status == 408 or status >= 500:
        return UpstreamFailed(status, read_retry_after(headers))
    return RequestRefused(status, _quote(body))


def _is_spent_budget(status: int, headers: Mapping[str, str], error: dict[str, Any], body: bytes) -> bool:
    codes = {value.strip().lower() for value in (error.get("code"), error.get("type")) if isinstance(value, str)}
    if codes & BUDGET_CODES or status == 402:
        return True
    if status != 429:
        return False
    if "x-envoy-ratelimited" in headers:
        return True
    if not body.strip():
        return read_meter(headers).remaining == 0
    return not error and body.strip().lower().startswith(b"rate limit exceeded")


def _budget_exhausted(status: int, headers: Mapping[str, str], error: dict[str, Any]) -> BudgetExhausted:
    budget = error.get("budget")
    budget = budget if isinstance(budget, dict) else None
    meter = read_meter(headers)
    return BudgetExhausted(
        status=status,
        budget=budget,
        resets_at=read_moment(budget.get("reset_at")) if budget else None,
        resets_in=meter.reset if meter.reset is not None else read_retry_after(headers),
        meter=meter,
    )


def _json(body: bytes) -> object:
    try:
        return pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError:
        return None


def _error(document: object) -> dict[str, Any]:
    """The error object: under `error` as OpenAI has it, or the document itself, or its one word."""
    if not isinstance(document, dict):
        return {}
    error = document.get("error", document)
    if isinstance(error, str):
        return {"code": error}
    return error if isinstance(error, dict) else {}


def classify_event(status: int, event: bytes, headers: Mapping[str, str]) -> Outcome:
    """An error in the middle of a stream, whose `status` came before it: some providers say in its code what it would be."""
    code = _error(_json(event)).get("code")
    if isinstance(code, int) and 400 <= code < 600:
        return classify(code, headers, event)
    outcome = classify(500, headers, event)
    return replace(outcome, status=status) if isinstance(outcome, BudgetExhausted) else outcome


def read_moment(value: object) -> datetime | None:
    """A time with its zone (RFC 3339); one without is taken as UTC."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is None or not 1970 <= moment.year < 9000:
            return None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _quote(body: bytes) -> str:
    return " ".join(body[: 8 * QUOTE].decode("utf-8", "replace").split())[:QUOTE]


def _message(error: Mapping[str, Any]) -> str:
    message = error.get("message")
    return _quote(message.encode("utf-8", "replace")) if isinstance(message, str) else ""
