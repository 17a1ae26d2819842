"""When the LLM is asked again, and after how long."""

import logging
from collections.abc import Awaitable, Callable

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential_jitter,
    wait_random,
)

from agents.outcomes import Outcome, Throttled, UpstreamFailed

log = logging.getLogger(__name__)

ATTEMPTS = 3
LONGEST_WAIT = 10
"""Seconds. A user is waiting: a provider that asks for more than this is asked again all the same, or given up."""

_backoff = wait_exponential_jitter(multiplier=0.5, max=LONGEST_WAIT / 2, jitter=0.5)
_jitter = wait_random(0, 0.25)


def retrying(seconds: float, sleep: Callable[[float], Awaitable[None]]) -> AsyncRetrying:
    """Tries while the outcome is one that may pass, a few times, and not once `seconds` are over. Returns the last outcome."""
    return AsyncRetrying(
        retry=retry_if_result(_may_pass),
        stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(seconds),
        wait=_wait,
        sleep=sleep,
        before_sleep=_log_retry,
        retry_error_callback=_last_outcome,
    )


def _may_pass(outcome: Outcome) -> bool:
    return isinstance(outcome, Throttled) or (isinstance(outcome, UpstreamFailed) and not outcome.partial)


def _last_outcome(state: RetryCallState) -> Outcome:
    if state.outcome is None:
        raise RuntimeError("tenacity stopped before the first attempt ended.")
    outcome: Outcome = state.outcome.result()
    return outcome


def _wait(state: RetryCallState) -> float:
    """Seconds: what the provider asked for, up to a cap; else exponential. Jittered, so that a team's agents spread."""
    outcome = _last_outcome(state)
    if isinstance(outcome, Throttled | UpstreamFailed) and outcome.retry_after is not None:
        return min(outcome.retry_after, LONGEST_WAIT) + _jitter(state)
    return _backoff(state)


def _log_retry(state: RetryCallState) -> None:
    log.warning("Attempt %d at the LLM: %s; trying again.", state.attempt_number, _last_outcome(state))
