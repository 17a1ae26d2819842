"""Everything that one call to the LLM can come to. The family is closed: a match over `Outcome` is complete.

* Answered          the model's text
* BudgetExhausted   the budget is spent: one request, never retried
* Throttled         the provider is busy: worth another try
* UpstreamFailed    the provider or the way to it failed: worth another try
* IdentityRefused   the gateway did not accept the token: a deployment problem
* RequestRefused    the request, or what came back for it, is of no use: trying again would not help
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias


@dataclass(frozen=True)
class Usage:
    """Tokens, as the LLM counted them."""

    prompt: int
    completion: int
    total: int


@dataclass(frozen=True)
class Meter:
    """`x-ratelimit-*` of the tightest budget; `reset` in seconds. None where the gateway did not say."""

    limit: int | None = None
    remaining: int | None = None
    reset: int | None = None


@dataclass(frozen=True)
class Answered:
    text: str
    usage: Usage | None
    meter: Meter


@dataclass(frozen=True)
class BudgetExhausted:
    """`budget` is the wire's object as it came. Of the two resets, `resets_at` is the better one."""

    status: int
    budget: Mapping[str, object] | None
    resets_at: datetime | None
    resets_in: int | None
    meter: Meter


@dataclass(frozen=True)
class Throttled:
    status: int
    retry_after: int | None


@dataclass(frozen=True)
class UpstreamFailed:
    """`status` is None where no answer came at all; `reason` then says why."""

    status: int | None
    retry_after: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class IdentityRefused:
    status: int
    quote: str


@dataclass(frozen=True)
class RequestRefused:
    status: int
    quote: str


Outcome: TypeAlias = Answered | BudgetExhausted | Throttled | UpstreamFailed | IdentityRefused | RequestRefused
