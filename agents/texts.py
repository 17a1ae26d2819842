"""What the user reads."""

from datetime import UTC, datetime, timedelta

from agents.moments import clock, duration
from agents.outcomes import (
    Answered,
    BudgetExhausted,
    IdentityRefused,
    Outcome,
    RequestRefused,
    Throttled,
    ToolsCalled,
    UpstreamFailed,
)

NO_TEXT = "This agent reads text only, and the message holds none. Please send a message with a text part."
INTERNAL = "Sorry — the agent failed while it worked on this message. Its log has the details. Please try again."
SHUTTING_DOWN = 'The agent is shutting down and could not finish. What was said is kept: please send "continue" in a moment.'
NOT_BEGUN = (
    "The agent is shutting down and did not get to this message: it is not part of the conversation. "
    "Please send it again in a moment."
)
INTERRUPTED = (
    "The agent was restarted while it worked on this, and the answer was lost. What was said before is kept: "
    'send the message again, or "continue".'
)
TOO_MANY_STEPS = (
    "The agent called tools again and again without coming to an answer, and has stopped. Please ask for less at once."
)
KEPT_OF_AN_ALLOWANCE = (
    "What was said is kept: another message in this conversation, with an allowance of its own, goes on from it."
)
KEPT = 'Your question and all that was answered before it are kept: send "continue" once the budget is back.'


def reply_to(outcome: Outcome, team: str, now: datetime | None = None) -> str:
    """The model's answer, or the sentence that stands in its place; `now` is the time from which a reset is counted."""
    match outcome:
        case Answered(text):
            return text
        case ToolsCalled():
            return TOO_MANY_STEPS
        case BudgetExhausted():
            return _budget_exhausted(outcome, team, now or datetime.now(UTC))
        case _:
            return _failure(outcome)


def waiting_until(until: datetime, now: datetime) -> str:
    """What a user reads whose task waits for its budget."""
    return (
        f"The budget is spent. This task waits and goes on by itself at {clock(until, now)}, "
        f"in {duration((until - now).total_seconds())}."
    )


def _budget_exhausted(outcome: BudgetExhausted, team: str, now: datetime) -> str:
    if outcome.status is None:
        limit = (outcome.budget or {}).get("limit")
        return f"The allowance of {limit} tokens that came with this task is spent. {KEPT_OF_AN_ALLOWANCE}"
    return (
        "Sorry — your team's LLM token budget is exhausted. Please try again later. "
        f"(HTTP {outcome.status} from the gateway; team={team!r}.) {_reset_sentence(outcome, now)} {KEPT}"
    )


def _failure(outcome: Throttled | UpstreamFailed | IdentityRefused | RequestRefused) -> str:
    match outcome:
        case Throttled():
            return _throttled(outcome)
        case UpstreamFailed():
            return _upstream_failed(outcome)
        case IdentityRefused(status, quote):
            return (
                f"The gateway refused this agent's identity (HTTP {status}{_said(quote)}). This is a problem of the "
                "deployment, not of your question: whoever runs the agent should check its LLM_JWT."
            )
        case RequestRefused(status, quote) if 200 <= status < 300:
            return f"The LLM's answer cannot be used (HTTP {status}: {quote or 'it holds no text'})."
        case RequestRefused(status, quote):
            return f"The gateway refused the request (HTTP {status}{_said(quote)})."


def _throttled(outcome: Throttled) -> str:
    if outcome.quote:
        return f"The gateway let no call through (HTTP {outcome.status}: {outcome.quote}). Please try again in a minute."
    return (
        f"The LLM's provider is busy (HTTP {outcome.status}), and trying again did not help. "
        "Your budget is not spent. Please try again in a minute."
    )


def _upstream_failed(outcome: UpstreamFailed) -> str:
    if outcome.partial:
        return (
            f"The LLM's answer broke off ({outcome.reason}). What came of it is kept, and was not asked for again: "
            'send "continue" to go on from there.'
        )
    if outcome.status is None:
        return f"The LLM could not be reached ({outcome.reason}), and trying again did not help. Please try again later."
    return (
        f"The LLM failed (HTTP {outcome.status}{_said(outcome.reason)}), and trying again did not help. Please try again later."
    )


def _said(quote: str) -> str:
    return f": {quote}" if quote else ""


def resets_at(outcome: BudgetExhausted, now: datetime) -> datetime | None:
    """None where the gateway did not say."""
    if outcome.resets_at is None and outcome.resets_in is not None:
        return now + timedelta(seconds=outcome.resets_in)
    return outcome.resets_at


def _reset_sentence(outcome: BudgetExhausted, now: datetime) -> str:
    at = resets_at(outcome, now)
    if at is None:
        return "The gateway did not say when it resets."
    left = (at - now).total_seconds()
    if left <= 0:
        return "It should have reset by now."
    return f"It resets at {clock(at, now)}, in {duration(left)}."
