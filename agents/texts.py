"""What the user reads."""

from datetime import UTC, datetime, timedelta

from agents.outcomes import Answered, BudgetExhausted, IdentityRefused, Outcome, RequestRefused, Throttled, UpstreamFailed

NO_TEXT = "This agent reads text only, and the message holds none. Please send a message with a text part."
INTERNAL = "Sorry — the agent failed while it worked on this message. Its log has the details. Please try again."
SHUTTING_DOWN = "The agent is shutting down and could not finish. Nothing was answered; please send the message again."


def reply_to(outcome: Outcome, team: str, now: datetime | None = None) -> str:
    """The model's answer, or the sentence that stands in its place; `now` is the time from which a reset is counted."""
    match outcome:
        case Answered(text):
            return text
        case BudgetExhausted():
            return _budget_exhausted(outcome, team, now or datetime.now(UTC))
        case _:
            return _failure(outcome)


def _budget_exhausted(outcome: BudgetExhausted, team: str, now: datetime) -> str:
    return (
        "Sorry — your team's LLM token budget is exhausted. Please try again later. "
        f"(HTTP {outcome.status} from the gateway; team={team!r}.) {_reset_sentence(outcome, now)}"
    )


def _failure(outcome: Throttled | UpstreamFailed | IdentityRefused | RequestRefused) -> str:
    match outcome:
        case Throttled(status):
            return (
                f"The LLM's provider is busy (HTTP {status}), and trying again did not help. "
                "Your budget is not spent. Please try again in a minute."
            )
        case UpstreamFailed(None, _, reason):
            return f"The LLM could not be reached ({reason}), and trying again did not help. Please try again later."
        case UpstreamFailed(status):
            return f"The LLM failed (HTTP {status}), and trying again did not help. Please try again later."
        case IdentityRefused(status, quote):
            return (
                f"The gateway refused this agent's identity (HTTP {status}{_said(quote)}). This is a problem of the "
                "deployment, not of your question: whoever runs the agent should check its LLM_JWT."
            )
        case RequestRefused(status, quote) if 200 <= status < 300:
            return f"The LLM's answer cannot be used: it holds no text (HTTP {status}{_said(quote)})."
        case RequestRefused(status, quote):
            return f"The gateway refused the request (HTTP {status}{_said(quote)})."


def _said(quote: str) -> str:
    return f": {quote}" if quote else ""


def _reset_sentence(outcome: BudgetExhausted, now: datetime) -> str:
    at = outcome.resets_at
    if at is None and outcome.resets_in is not None:
        at = now + timedelta(seconds=outcome.resets_in)
    if at is None:
        return "The gateway did not say when it resets."
    left = (at - now).total_seconds()
    if left <= 0:
        return "It should have reset by now."
    return f"It resets at {_clock(at, now)}, in {_duration(left)}."


def _clock(at: datetime, now: datetime) -> str:
    """Hours and minutes, never early: a reset in seconds rarely falls on a whole minute."""
    at = at.astimezone(UTC).replace(microsecond=0)
    if at.second:
        at = at.replace(second=0) + timedelta(minutes=1)
    day = "" if at.date() == now.astimezone(UTC).date() else f" on {at.day} {at:%B %Y}"
    return f"{at:%H:%M} UTC{day}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return _plural(max(1, round(seconds)), "second")
    if seconds < 90 * 60:
        return _plural(round(seconds / 60), "minute")
    if seconds < 36 * 3600:
        return _plural(round(seconds / 3600), "hour")
    return _plural(round(seconds / 86_400), "day")


def _plural(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
