"""A small gateway that answers as the budget contract on the wire says, with one answer after the other."""

import asyncio
import json
import queue
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.types import Receive, Scope, Send

from tests.unit.agents.doubles import BUDGET

METER = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4287", "x-ratelimit-reset": "1200"}
USAGE: Mapping[str, int] = {"prompt_tokens": 13, "completion_tokens": 700, "total_tokens": 713}

PIECE = 4096
"""Characters in one chunk of a stream."""


@dataclass(frozen=True)
class Answer:
    """`message` is what the LLM says, streamed where that is asked for; without one, `content` is the body as it is."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    message: Mapping[str, Any] | None = None
    ends: bool = True
    """False where the stream breaks off after its words."""
    usage: Mapping[str, int] = field(default_factory=lambda: USAGE)


def said(text: str, usage: Mapping[str, int] = USAGE, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(message={"role": "assistant", "content": text}, headers=METER | named, usage=usage)


def used(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def calls(name: str, arguments: Mapping[str, object], text: str = "") -> Answer:
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"index": 0, "id": "call-1", "type": "function", "function": function}
    return Answer(message={"role": "assistant", "content": text or None, "tool_calls": [call]}, headers=METER)


def refused(status: int, error: Mapping[str, Any], **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "application/json", **named}, json.dumps({"error": error}).encode())


def spent(seconds: int) -> Answer:
    """A budget that is back in so many seconds."""
    at = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    return _spent(BUDGET | {"reset_at": at}, seconds)


def _spent(budget: Mapping[str, Any], seconds: int) -> Answer:
    return refused(
        429,
        {
            "message": f"Budget 'team-token-budget/dba/hour' is spent: 5,012 of 5,000 tokens. Resets in {seconds:,} s.",
            "type": "budget_exceeded",
            "code": "budget_exhausted",
            "param": None,
            "budget": budget,
        },
        x_ratelimit_limit="5000",
        x_ratelimit_remaining="0",
        x_ratelimit_reset=str(seconds),
        retry_after=str(seconds),
        x_should_retry="false",
        x_envoy_ratelimited="true",
    )


ANSWERS = {
    "ok": said("Use an index."),
    "budget": _spent(BUDGET, 1234),
    "solo": Answer(429, {"content-type": "text/plain", "x-ratelimit-reset": "1234"}, b"rate limit exceeded"),
    "busy": refused(429, {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}, retry_after="0"),
    "identity": Answer(401, {"content-type": "text/plain"}, b"Jwt is expired"),
    "broken": Answer(500, {"content-type": "application/json", "retry-after": "0"}),
    "malformed": Answer(200, {"content-type": "application/json"}, b'{"choices": [{"mess'),
    "refused": refused(400, {"message": "model not known", "type": "invalid_request_error"}),
    "cut": Answer(message={"role": "assistant", "content": "Use an"}, headers=METER, ends=False),
}


@dataclass(frozen=True)
class Held:
    """An answer that is given once the test lets it go."""

    answer: str = "ok"


class Slow:
    """An answer whose words come when the test says them."""

    def __init__(self) -> None:
        self.words: queue.SimpleQueue[str | bool] = queue.SimpleQueue()

    def say(self, words: str) -> None:
        self.words.put(words)

    def finish(self) -> None:
        self.words.put(True)

    def cut(self) -> None:
        self.words.put(False)


class Gateway:
    """An ASGI application. `answers` are given one after the other, the last one for ever; `balance` is `GET /v1/budget`'s.

    Of the names that are no answer, "hang" is `Held`, which answers once `hold` is set, and "slow" says what the test has
    `slow` say.
    """

    def __init__(self) -> None:
        self.url = ""
        self.hold = threading.Event()
        self.serve("ok")

    def serve(self, *answers: str | Answer | Held, balance: Sequence[Mapping[str, Any]] | None = None) -> None:
        self._answers = list(answers)
        self._balance = balance
        self.requests: list[dict[str, Any]] = []
        self.slow = Slow()
        self.left = threading.Event()
        self.hold.clear()

    @property
    def asked(self) -> list[str]:
        """What the user said last in each call to the LLM."""
        return [request["body"]["messages"][-1]["content"] for request in self.requests if request["body"]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        body += message["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        request = {"path": scope["path"], "headers": headers, "body": json.loads(body) if body else None}
        self.requests.append(request)
        gone = asyncio.ensure_future(receive())
        try:
            await self._answer(request, gone, send)
        finally:
            gone.cancel()

    async def _answer(self, request: Mapping[str, Any], gone: "asyncio.Future[Any]", send: Send) -> None:
        if request["body"] is None:
            await _give(self._budgets(), streamed=False, send=send)
            return
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer == "slow":
            await self._say_slowly(gone, send)
            return
        if answer == "hang":
            answer = Held()
        if isinstance(answer, Held):
            answer = answer.answer
            while not self.hold.is_set():
                if self._is_gone(gone):
                    return
                await asyncio.sleep(0.01)
        await _give(ANSWERS[answer] if isinstance(answer, str) else answer, bool(request["body"].get("stream")), send)

    def _budgets(self) -> Answer:
        if self._balance is None:
            return Answer(404)
        return Answer(200, {"content-type": "application/json"}, json.dumps({"budgets": self._balance}).encode())

    async def _say_slowly(self, gone: "asyncio.Future[Any]", send: Send) -> None:
        slow = self.slow
        await _start(200, METER | {"content-type": "text/event-stream"}, send)
        while not self._is_gone(gone):
            if slow.words.empty():
                await asyncio.sleep(0.01)
                continue
            words = slow.words.get()
            if isinstance(words, bool):
                if words:
                    await _end_stream({}, USAGE, send)
                return
            await _event({"choices": [{"index": 0, "delta": {"content": words}}]}, send)

    def _is_gone(self, gone: "asyncio.Future[Any]") -> bool:
        if gone.done():
            self.left.set()
        return gone.done()


async def _give(answer: Answer, streamed: bool, send: Send) -> None:
    if answer.message is None:
        await _start(answer.status, answer.headers, send)
        await send({"type": "http.response.body", "body": answer.content})
    elif not streamed:
        document = {"choices": [{"index": 0, "message": answer.message}], "usage": answer.usage}
        await _start(answer.status, {"content-type": "application/json", **answer.headers}, send)
        await send({"type": "http.response.body", "body": json.dumps(document).encode()})
    else:
        await _start(answer.status, {"content-type": "text/event-stream", **answer.headers}, send)
        await _stream(answer, send)


async def _stream(answer: Answer, send: Send) -> None:
    message = answer.message or {}
    text = message.get("content") or ""
    for start in range(0, len(text), PIECE):
        await _event({"choices": [{"index": 0, "delta": {"content": text[start : start + PIECE]}}]}, send)
    if answer.ends:
        await _end_stream({"tool_calls": message["tool_calls"]} if "tool_calls" in message else {}, answer.usage, send)


async def _end_stream(delta: Mapping[str, Any], usage: Mapping[str, int], send: Send) -> None:
    reason = "tool_calls" if delta else "stop"
    await _event({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}, send)
    await _event({"choices": [], "usage": usage}, send)
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


async def _event(chunk: Mapping[str, Any], send: Send) -> None:
    await send({"type": "http.response.body", "body": f"data: {json.dumps(chunk)}\n\n".encode(), "more_body": True})


async def _start(status: int, headers: Mapping[str, str], send: Send) -> None:
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
