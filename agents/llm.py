"""One conversation in, one outcome out: the call to the LLM through the gateway, tried again where that can help."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import httpx
from langchain_core.messages import AnyMessage, convert_to_openai_messages
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential_jitter,
    wait_random,
)

from agents.classify import classify
from agents.config import Settings
from agents.outcomes import Outcome, Throttled, UpstreamFailed

log = logging.getLogger(__name__)

CallLLM: TypeAlias = Callable[[Sequence[AnyMessage]], Awaitable[Outcome]]

ATTEMPTS = 3
LONGEST_WAIT = 10
"""Seconds. A user is waiting: a provider that asks for more than this is asked again all the same, or given up."""

_backoff = wait_exponential_jitter(multiplier=0.5, max=LONGEST_WAIT / 2, jitter=0.5)
_jitter = wait_random(0, 0.25)


class GatewayLLM:
    """A `CallLLM` over one pooled client. It never raises for what the network or the gateway does."""

    def __init__(
        self,
        settings: Settings,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = str(settings.llm_url)
        self._model = settings.llm_model
        self._token = settings.llm_jwt.get_secret_value()
        self._timeout = settings.llm_timeout
        self._sleep = sleep
        self._http = httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(self._timeout, connect=min(5, self._timeout)),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
            # A proxy from the environment would be handed the team's token.
            trust_env=False,
        )

    async def __call__(self, messages: Sequence[AnyMessage]) -> Outcome:
        """Asks once, and again while the outcome is `Throttled` or `UpstreamFailed`, within a count and a time."""
        request = {"model": self._model, "messages": convert_to_openai_messages(list(messages)), "stream": False}
        retrying = AsyncRetrying(
            retry=retry_if_result(_may_pass),
            stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(1.5 * self._timeout),
            wait=_wait,
            sleep=self._sleep,
            before_sleep=_log_retry,
            retry_error_callback=_last_outcome,
        )
        outcome: Outcome = await retrying(self._attempt, request)
        return outcome

    async def _attempt(self, request: dict[str, object]) -> Outcome:
        try:
            # httpx bounds each read; this bounds the sum, so that a trickling answer ends too.
            async with asyncio.timeout(self._timeout):
                response = await self._http.post(self._url, json=request, headers={"Authorization": f"Bearer {self._token}"})
        except TimeoutError:
            return UpstreamFailed(None, reason=f"no answer within {self._timeout:g} s")
        except (httpx.HTTPError, httpx.StreamError) as error:
            return UpstreamFailed(None, reason=type(error).__name__)
        # An error may echo what was sent, and errors are quoted to the user.
        body = response.content.replace(self._token.encode(), b"[LLM_JWT]")
        return classify(response.status_code, response.headers, body)

    async def aclose(self) -> None:
        await self._http.aclose()


def _may_pass(outcome: Outcome) -> bool:
    return isinstance(outcome, Throttled | UpstreamFailed)


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
