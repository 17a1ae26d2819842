"""How a request comes in: its headers have a greatest size, and all of it a time in which it has to arrive.

uvicorn on httptools has neither: headers without an end stay in memory, and a request that stops half-way keeps its connection.
"""

import asyncio

from uvicorn._types import HTTPScope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

LONGEST_HEAD = 64 * 1024
"""Bytes of the request line and the headers together; also of the trailers behind a chunked body."""

PATIENCE = 60
"""Seconds from the first byte of a request to its last."""

_TOO_LONG = f"The request line and the headers may have {LONGEST_HEAD} bytes together. Send fewer or shorter headers."
_TOO_SLOW = "The request did not arrive in full in the time that a request has. Send it again, without pauses."


class BoundedRequests(HttpToolsProtocol):
    """uvicorn's protocol, which answers 431 to a head too long and 408 to a request too slow, and closes.

    Nothing is written into an answer that is on its way. To answer takes as long as it takes: the time ends with the
    request, and does not run out while an earlier answer is under way or while the application leaves the body unread.
    """

    patience: float = PATIENCE

    _unended = 0
    """Bytes since a head ended, a piece of a body came, or a request ended: what the parser has to hold, for all one knows.

    What begins in one read with such an end counts from the next read on.
    """
    _ended: HTTPScope | None = None
    """The last request that arrived in full."""
    _since: float | None = None
    """When the request that is still arriving began."""
    _deadline: asyncio.TimerHandle | None = None
    """Left to run when a request has arrived: a timer for each costs more than to look at `_since` once in a while."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # uvicorn ends what is idle behind a request, and only that.
        self.timeout_keep_alive_task = self.loop.call_later(self.patience, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        room = LONGEST_HEAD - self._unended
        if len(data) > room:
            self.data_received(data[:room])
            if not self.transport.is_closing():
                self.data_received(data[room:])
            return
        self._unended += len(data)
        ended, cycle = self._ended, self.cycle
        super().data_received(data)
        if self._ended is not ended and self._ended is self.scope:
            return
        if self.cycle is not cycle:
            self._unended = 0
        if not self.transport.is_closing():
            self._await_the_rest()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        # uvicorn would add the trailers of a chunked body to the headers that the application has been given.
        self.headers: list[tuple[bytes, bytes]] = []

    def on_body(self, body: bytes) -> None:
        self._unended = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unended = 0
        self._ended = self.scope
        self._since = None
        super().on_message_complete()

    def _await_the_rest(self) -> None:
        if self._unended >= LONGEST_HEAD:
            self._refuse(431, _TOO_LONG)
        elif self._since is None:
            self._since = self.loop.time()
            if self._deadline is None:
                self._look_again_in(self.patience)

    def _look_again_in(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        self._deadline = None
        if self._since is None or self.transport.is_closing():
            return
        if self.flow.read_paused or self._answers_an_earlier_one():
            self._since = self.loop.time()
        left = self._since + self.patience - self.loop.time()
        if left > 0:
            self._look_again_in(left)
        else:
            self._refuse(408, _TOO_SLOW)

    def _in_body(self) -> bool:
        # A cycle is a request whose head is there, and its answer.
        return self.cycle is not None and self.cycle.scope is self.scope and self._ended is not self.scope

    def _answers_an_earlier_one(self) -> bool:
        if self._in_body():
            return bool(self.pipeline)
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, status: int, sentence: str) -> None:
        self.logger.warning(sentence)
        if not self._answers_an_earlier_one() and not (self._in_body() and self.cycle.response_started):
            self._write(status, sentence)
        self.transport.close()

    def _write(self, status: int, sentence: str) -> None:
        own = ((b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(sentence)))
        headers = (*self.server_state.default_headers, *own, (b"connection", b"close"))
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        self.transport.write(b"".join((STATUS_LINE[status], *lines, b"\r\n", sentence.encode())))
