"""One conversation in, one outcome out: the call to the LLM through the gateway, tried again where that can help."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pydantic_core
from langchain_core.messages import AnyMessage, convert_to_openai_messages
from langchain_core.utils.function_calling import convert_to_openai_tool

from agents.kit import Tool
from agents.llm.allowance import allowance_spent
from agents.llm.classify import classify, classify_event
from agents.llm.completion import Assembly
from agents.llm.connection import Connection
from agents.llm.event_stream import TooLongError, read_events
from agents.llm.headers import read_meter
from agents.llm.ladder import FIT, Ladder
from agents.llm.meter import LastMeter
from agents.llm.retries import retrying
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
from agents.progress import Delta, Said
from agents.run import Run, current_run

LONGEST_STREAM = 10
"""Times `LLM_TIMEOUT`, which bounds a stream's silences, that a stream may take in all."""

TOO_LARGE = "the answer is larger than the agent takes"

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
        if run.allowance_left == 0:
            return allowance_spent(run)
        call = _Call(self._fitted(self._request(messages, tools), run), run)
        outcome = await self._ask(call)
        if isinstance(outcome, IdentityRefused) and outcome.status == 401 and self._connection.has_newer(call.credential):
            outcome = await self._ask(call)
        self._settle(outcome, call)
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
            request["tools"] = [convert_to_openai_tool(tool) for tool in tools]
        return request

    def _fitted(self, request: dict[str, Any], run: Run) -> dict[str, Any]:
        meter = self._last.meter
        if self._ladder and meter:
            request = self._ladder.fit(request, meter, run)
        if run.allowance_left is not None and run.allowance_left <= FIT:
            request["max_tokens"] = min(request.get("max_tokens", FIT), run.allowance_left)
        return request

    def _settle(self, outcome: Outcome, call: "_Call") -> None:
        if isinstance(outcome, Answered | ToolsCalled | BudgetExhausted) and outcome.meter.remaining is not None:
            call.run.meter = outcome.meter
            self._last.read(outcome.meter)
        if isinstance(outcome, Answered | ToolsCalled):
            call.run.partial = ""
            call.run.count(outcome.usage, call.characters + len(outcome.text) if outcome.usage is None else 0)
            call.run.tell(Said(outcome.text, outcome.usage))

    async def _ask(self, call: "_Call") -> Outcome:
        attempts = retrying(1.5 * self._connection.timeout, self._sleep)
        outcome: Outcome = await attempts(self._attempt, call)
        return outcome

    async def _attempt(self, call: "_Call") -> Outcome:
        call.credential = self._connection.credential()
        answer = Assembly()
        try:
            outcome = await self._send(call, answer)
        except TimeoutError:
            outcome = UpstreamFailed(None, reason=f"no whole answer within {self._patience:g} s")
        except (httpx.HTTPError, httpx.StreamError) as error:
            outcome = UpstreamFailed(None, reason=type(error).__name__)
        if isinstance(outcome, Answered | ToolsCalled):
            return outcome
        if answer.usage:
            call.run.count(answer.usage)
        if answer.text and not call.run.listener.withdraw():
            call.run.partial = answer.text
            return _broken_off(outcome, answer.text)
        return outcome

    async def _send(self, call: "_Call", answer: Assembly) -> Outcome:
        request = self._connection.request("POST", self._connection.llm, call.credential, call.request)
        # httpx bounds each read; this bounds the sum, so that a trickling answer ends too.
        async with asyncio.timeout(self._patience), request as response:
            if response.is_success and response.headers.get("content-type", "").startswith("text/event-stream"):
                return await self._read_stream(response, call, answer)
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > 2 * LARGEST_ANSWER:
                    return RequestRefused(response.status_code, TOO_LARGE)
            if response.is_success:
                # An answer that is of no use may have been charged all the same.
                answer.add(_json(bytes(body)) or {})
            return classify(response.status_code, response.headers, call.without_credential(bytes(body)))

    async def _read_stream(self, response: httpx.Response, call: "_Call", answer: Assembly) -> Outcome:
        try:
            async for data in read_events(response.aiter_bytes()):
                if data.strip() == b"[DONE]":
                    answer.end()
                    break
                chunk = _json(data)
                if chunk is None:
                    return RequestRefused(response.status_code, "the stream holds what is no JSON object")
                if chunk.get("error"):
                    return classify_event(response.status_code, call.without_credential(data), response.headers)
                if words := answer.add(chunk):
                    call.run.tell(Delta(words))
                if answer.size > LARGEST_ANSWER:
                    return RequestRefused(response.status_code, TOO_LARGE)
        except TooLongError:
            return RequestRefused(response.status_code, TOO_LARGE)
        except (httpx.HTTPError, httpx.StreamError):
            # The usage comes last: where only that is lost, the answer is whole all the same.
            if not answer.ended:
                raise
        if not answer.ended:
            return UpstreamFailed(response.status_code, reason="the stream broke off")
        return answer.outcome(read_meter(response.headers)) or RequestRefused(response.status_code, "")


@dataclass
class _Call:
    """`credential` is the token of the last attempt."""

    request: dict[str, Any]
    run: Run
    credential: str = ""

    @property
    def characters(self) -> int:
        return len(str(self.request["messages"]))

    def without_credential(self, body: bytes) -> bytes:
        """An error may echo what was sent, and errors are quoted to the user."""
        return body.replace(self.credential.encode(), b"[LLM_JWT]")


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
