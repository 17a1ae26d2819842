"""A double of an HTTP server that the gateway forwards to: it records what it hears, and answers as it was told."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from service.http import listen, server

USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30, "prompt_tokens_details": {"cached_tokens": 4}}
JSON = {"content-type": "application/json"}
ANSWER = {"model": "the-llm's-own", "choices": [], "usage": USAGE}


@dataclass(frozen=True)
class Heard:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Upstream:
    heard: list[Heard] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    """Of the body; an answer has them one after the other."""
    stops_before: int | None = None
    """The part before which it waits until its client is gone; 0 is before the headers."""
    held: asyncio.Event | None = None
    """It answers nobody before this is set."""

    def answers(self, body: Any, status: int = 200, headers: Mapping[str, str] = JSON) -> None:
        self.status, self.headers, self.stops_before = status, dict(headers), None
        self.parts = [json.dumps(body).encode()]

    def streams(self, *events: Any, stops_before: int | None = None) -> None:
        self.status, self.headers, self.stops_before = 200, {"content-type": "text/event-stream"}, stops_before
        self.parts = [f"data: {json.dumps(event)}\n\n".encode() for event in events]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.heard.append(Heard(scope["method"], scope["path"], headers, await _body(receive)))
        if self.held:
            await self.held.wait()
        said = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        start = {"type": "http.response.start", "status": self.status, "headers": said}
        parts = [{"type": "http.response.body", "body": part, "more_body": True} for part in self.parts]
        for number, message in enumerate((start, *parts)):
            if number == self.stops_before:
                await _hung_up(receive)
                return
            await send(message)
        await send({"type": "http.response.body"})

    @asynccontextmanager
    async def serving(self, port: int) -> AsyncIterator[None]:
        serving = server(self)
        task = asyncio.create_task(serving.serve(sockets=[listen("127.0.0.1", port, "nothing")]))
        yield
        serving.should_exit = True
        await task


async def _body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


async def _hung_up(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
