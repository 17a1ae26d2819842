"""One conversation in, one outcome out: the call to the LLM through the gateway, tried again where that can help."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import httpx
import pydantic_core
from langchain_core.messages import AnyMessage, convert_to_openai_messages

from agents.allowance import allowance_spent
from agents.classify import classify, classify_event
from agents.completion import Assembly
from agents.connection import Connection
from agents.event_stream import TooLongError, read_events
from agents.headers import read_meter
from agents.kit import Tool
from agents.ladder import Ladder
from agents.meter import LastMeter
from agents.outcomes import Answered, IdentityRefused, Outcome, RequestRefused, Throttled, ToolsCalled, UpstreamFailed
from agents.progress import Delta, Said
from agents.retries import retrying
from agents.run import Run, current_run

LONGEST_STREAM = 10
"""Times `LLM_TIMEOUT`, which bounds a stream's silences, that a stream may take in all."""

LARGEST_ANSWER = 16 * 1024 * 1024
"""Characters of a stream's answer, and half as many bytes as a whole answer's document may have."""


class GatewayLLM:
    """A `CallLLM`. It never raises for what the network or the gateway does."""

    def __init__(
        self,
        connection: Connection,
        model: str,
        *,
        last_meter: LastMeter | None = None,
        stream: bool = True,
        ladder: Ladder | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._connection = connection
        self._model = model
        self._last = last_meter or LastMeter()
        self._stream = stream
        self._patience = connection.timeout * (LONGEST_STREAM if stream else 1)
        self._ladder = ladder
        self._sleep = sleep

    async def __call__(self, messages: Sequence[AnyMessage], tools: Sequence[Tool] = ()) -> Outcome:
        """Asks once, and again while the outcome is `Throttled` or `UpstreamFailed`, within a count and a time.

        What a stream says is told to the current run as it comes. Once the user has read words of it, it is not asked again.
        """
        run = current_run()
        request = self._request(messages, tools)
        meter = self._last.meter
        if self._ladder and meter:
            request = self._ladder.fit(request, meter, run)
        if run.allowance_left is not None:
            if run.allowance_left == 0:
                return allowance_spent(run)
            request["max_tokens"] = min(request.get("max_tokens", run.allowance_left), run.allowance_left)
        outcome = await self._ask(request, run)
        if isinstance(outcome, IdentityRefused) and outcome.status == 401 and self._connection.renew_token():
            outcome = await self._ask(request, run)
        self._settle(outcome, run)
        return outcome

    def _request(self, messages: Sequence[AnyMessage], tools: Sequence[Tool]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self._model,
            "messages": convert_to_openai_messages(list(messages)),
            "stream": self._stream,
        }
        if self._stream:
            request["stream_options"] = {"include_usage": True}
        if tools:
            request["tools"] = list(tools)
        return request

    def _settle(self, outcome: Outcome, run: Run) -> None:
        if isinstance(outcome, Answered | ToolsCalled):
            run.meter = outcome.meter
            run.usage.count(outcome.usage)
            run.tell(Said(outcome.text, outcome.usage))
            self._last.read(outcome.meter)

    async def _ask(self, request: dict[str, Any], run: Run) -> Outcome:
        attempts = retrying(1.5 * self._connection.timeout, self._sleep)
        outcome: Outcome = await attempts(self._attempt, request, run)
        return outcome

    async def _attempt(self, request: dict[str, Any], run: Run) -> Outcome:
        answer = Assembly()
        try:
            outcome = await self._send(request, run, answer)
        except TimeoutError:
            outcome = UpstreamFailed(None, reason=f"no whole answer within {self._patience:g} s")
        except (httpx.HTTPError, httpx.StreamError) as error:
            outcome = UpstreamFailed(None, reason=type(error).__name__)
        if answer.text and not isinstance(outcome, Answered | ToolsCalled) and not run.listener.withdraw():
            return _broken_off(outcome, answer.text)
        return outcome

    async def _send(self, request: dict[str, Any], run: Run, answer: Assembly) -> Outcome:
        # httpx bounds each read; this bounds the sum, so that a trickling answer ends too.
        async with asyncio.timeout(self._patience), self._connection.request("POST", self._connection.llm, request) as response:
            if response.is_success and response.headers.get("content-type", "").startswith("text/event-stream"):
                return await self._read_stream(response, run, answer)
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > 2 * LARGEST_ANSWER:
                    return RequestRefused(response.status_code, "the answer is larger than the agent takes")
            return classify(response.status_code, response.headers, self._connection.without_token(bytes(body)))

    async def _read_stream(self, response: httpx.Response, run: Run, answer: Assembly) -> Outcome:
        try:
            async for data in read_events(response.aiter_bytes()):
                if data.strip() == b"[DONE]":
                    break
                chunk = _json(data)
                if chunk is None:
                    return RequestRefused(response.status_code, "the stream holds what is no JSON object")
                if chunk.get("error"):
                    event = pydantic_core.from_json(self._connection.without_token(data))
                    return classify_event(event, response.headers)
                if words := answer.add(chunk):
                    run.tell(Delta(words))
                if answer.size > LARGEST_ANSWER:
                    return RequestRefused(response.status_code, "the answer is larger than the agent takes")
        except TooLongError:
            return RequestRefused(response.status_code, "the answer is larger than the agent takes")
        except (httpx.HTTPError, httpx.StreamError):
            # The usage comes last: where only that is lost, the answer is whole all the same.
            if not answer.ended:
                raise
        if not answer.ended:
            return UpstreamFailed(response.status_code, reason="the stream broke off")
        outcome = answer.outcome(read_meter(response.headers))
        return outcome or RequestRefused(response.status_code, "")


def _json(data: bytes) -> dict[str, Any] | None:
    try:
        chunk = pydantic_core.from_json(data, allow_inf_nan=False)
    except ValueError:
        return None
    return chunk if isinstance(chunk, dict) else None


def _broken_off(outcome: Outcome, partial: str) -> Outcome:
    """A failure that comes after words that the user has read. A refusal stays one: it would come again."""
    match outcome:
        case UpstreamFailed():
            return replace(outcome, partial=partial)
        case Throttled(status):
            return UpstreamFailed(status, reason="the provider became busy", partial=partial)
        case _:
            return outcome
