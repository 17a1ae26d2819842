"""Everything that one call to the LLM can come to. The family is closed: a match over `Outcome` is complete.

* Answered          the model's text
* ToolsCalled       the model wants tools called, and to be asked again with what they say
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

from agents.usage import Usage


@dataclass(frozen=True)
class Meter:
    """`x-ratelimit-*` of the tightest budget; `reset` in seconds. None where the gateway did not say."""

    limit: int | None = None
    remaining: int | None = None
    reset: int | None = None
    unit: str = "tokens"
    """`tokens`, or `micro-usd`: millionths of a dollar."""


@dataclass(frozen=True)
class Answered:
    text: str
    usage: Usage | None
    meter: Meter


@dataclass(frozen=True)
class ToolCall:
    """`arguments` is JSON as the model wrote it, which may be none."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class ToolsCalled:
    """`text` is what the model said besides; often nothing."""

    text: str
    calls: tuple[ToolCall, ...]
    usage: Usage | None
    meter: Meter


@dataclass(frozen=True)
class BudgetExhausted:
    """`budget` is the wire's object as it came. Of the two resets, `resets_at` is the better one.

    `status` is None where no gateway refused: the allowance that the caller handed down is spent.
    """

    status: int | None
    budget: Mapping[str, object] | None
    resets_at: datetime | None
    resets_in: int | None
    meter: Meter


@dataclass(frozen=True)
class Throttled:
    """`quote` is what the answer said, where it is worth repeating."""

    status: int
    retry_after: int | None
    quote: str = ""


@dataclass(frozen=True)
class UpstreamFailed:
    """`status` is None where no answer came at all; `reason` then says why.

    `partial` is what the user has already read of an answer that broke off: it was not asked for again.
    """

    status: int | None
    retry_after: int | None = None
    reason: str = ""
    partial: str = ""


@dataclass(frozen=True)
class IdentityRefused:
    status: int
    quote: str


@dataclass(frozen=True)
class RequestRefused:
    status: int
    quote: str


Outcome: TypeAlias = Answered | ToolsCalled | BudgetExhausted | Throttled | UpstreamFailed | IdentityRefused | RequestRefused
