"""An answer handed over: whole or as a stream, at its pace, and entered once its usage has been told."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from mock_llm.connection import is_gone, leaves_within
from mock_llm.mock import Turn
from mock_llm.usage import Usage

_JSON = (b"content-type", b"application/json")
_EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]


class Stream(NamedTuple):
    """Server-sent events, each with its empty line. The completion's tokens are spread evenly over the `pieces`."""

    opening: Sequence[bytes]
    pieces: Sequence[bytes]
    closing: Sequence[bytes]
    usage: bytes | None
    """What tells the usage, behind the closing; None where nothing does."""
    end: bytes
    """May be empty."""


class Whole:
    """A JSON document. `told` is the usage in it, None where it tells none."""

    def __init__(self, turn: Turn, document: bytes, usage: Usage, told: Usage | None) -> None:
        self._turn = turn
        self._document = document
        self._usage = usage
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = self._turn.call
        pace = self._turn.pace()
        # Without a delay nothing has been awaited since the body came, so that nothing can have been heard of the client.
        if pace is not None and await leaves_within(receive, pace.whole(self._usage.completion_tokens), call.mock.sleep):
            call.left()
            return
        call.answered(self._told)
        headers = [(b"content-length", b"%d" % len(self._document)), _JSON]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._document})


class Streamed:
    """Each event is handed over on its own. A client that leaves is noticed at once, and told nothing more."""

    def __init__(self, turn: Turn, stream: Stream, usage: Usage) -> None:
        self._turn = turn
        self._stream = stream
        self._usage = usage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = self._turn.call
        if await self._waits_for_the_first(receive):
            call.left()
            return
        await send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
        if not await self._says(receive, send):
            call.left()
            return
        event = self._stream.usage
        if event is not None:
            await send({"type": "http.response.body", "body": event, "more_body": True})
            if is_gone(receive):
                call.left()
                return
        call.answered(None if event is None else self._usage)
        await send({"type": "http.response.body", "body": self._stream.end, "more_body": False})

    async def _waits_for_the_first(self, receive: Receive) -> bool:
        """Whether the client has left meanwhile."""
        pace = self._turn.pace()
        return pace is not None and await leaves_within(receive, pace.first(), self._turn.call.mock.sleep)

    async def _says(self, receive: Receive, send: Send) -> bool:
        """All events up to the one with the usage. Whether the client is still there."""
        opening, pieces, closing, _, _ = self._stream
        pace = self._turn.pace()
        sleep = self._turn.call.mock.sleep
        apart = self._usage.completion_tokens / max(1, len(pieces))
        spoken = range(len(opening) + 1, len(opening) + len(pieces))
        for number, event in enumerate((*opening, *pieces, *closing)):
            if pace is not None and number in spoken and await leaves_within(receive, pace.gap(apart), sleep):
                return False
            await send({"type": "http.response.body", "body": event, "more_body": True})
            await asyncio.sleep(0)
            if is_gone(receive):
                return False
        return True
