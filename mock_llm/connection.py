"""The connection itself: whether the client is still there, to the instant, and the ways in which a connection can fail it."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mock_llm.latency import Sleep

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER, on, for 0 seconds: what closes the socket sends RST in place of FIN."""


def is_gone(receive: Receive) -> bool:
    """Whether the server knows by now that the client has disconnected. To be asked once the body has been read.

    The ledger holds what was handed out and nothing else, so this takes one step of `receive` rather than awaiting it: after a
    disconnect it answers at once, otherwise it would wait. Starlette's `Request.is_disconnected` lets other tasks run
    meanwhile, and so cannot say what held when a send returned.
    """
    step = receive().__await__()
    try:
        next(step)
    except StopIteration as done:
        return bool(done.value["type"] == "http.disconnect")
    step.close()
    return False


async def leaves_within(receive: Receive, seconds: float, sleep: Sleep) -> bool:
    """Waits so many seconds, or until the client leaves, and says whether it has."""
    waiting = asyncio.ensure_future(sleep(seconds))
    leaving = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait((waiting, leaving), return_when=asyncio.FIRST_COMPLETED)
        return leaving.done()
    finally:
        waiting.cancel()
        leaving.cancel()


class Silence(Response):
    """No answer until the client leaves; after so many seconds the connection is closed."""

    def __init__(self, patience: float) -> None:
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_disconnect(receive), self._patience)
            return
        await _hang_up(receive)


class Reset(Response):
    """A TCP reset in place of an answer."""

    def __init__(self) -> None:
        pass

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = _transport(receive)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
        await _disconnect(receive)


class BrokenOff(Response):
    """A 200 whose connection is closed behind these chunks. `length` is announced; without one the body is chunked."""

    def __init__(self, chunks: Iterable[bytes], length: int | None, media_type: str) -> None:
        self._chunks = chunks
        self.media_type = media_type
        self.status_code = 200
        self.init_headers({} if length is None else {"content-length": str(length)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for chunk in self._chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await _hang_up(receive)


async def _hang_up(receive: Receive) -> None:
    """Close the connection behind what has been written, and return when it is closed: to the server the client has left."""
    _transport(receive).close()
    await _disconnect(receive)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _transport(receive: Receive) -> asyncio.Transport:
    """The connection that `receive` reads from. ASGI has no word for it, so this asks uvicorn's request, whose method it is.

    Raises ConnectionError on another server, which makes of it what it makes of an application that fails.
    """
    transport: asyncio.Transport | None = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionError("This fault needs uvicorn, whose connection it breaks. Serve the mock with `python -m mock_llm`.")
    return transport
