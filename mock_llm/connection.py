"""Whether the client is still there, to the instant, so that the ledger holds what was handed out and nothing else."""

import asyncio
from collections.abc import Callable, Iterable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


def is_gone(receive: Receive) -> bool:
    """Whether the server knows by now that the client has disconnected. To be asked once the body has been read.

    Takes one step of `receive` rather than awaiting it: after a disconnect it answers at once, otherwise it would wait.
    Starlette's `Request.is_disconnected` lets other tasks run meanwhile, and so cannot say what held when a send returned.
    """
    step = receive().__await__()
    try:
        next(step)
    except StopIteration as done:
        return bool(done.value["type"] == "http.disconnect")
    step.close()
    return False


class EventStream(Response):
    """Server-sent events, each handed over on its own. `on_usage` is called once the usage event has been."""

    media_type = "text/event-stream"

    def __init__(self, events: Iterable[bytes], usage: bytes | None, end: bytes, on_usage: Callable[[], None]) -> None:
        self._events = events
        self._usage = usage
        self._end = end
        self._on_usage = on_usage
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-cache"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for event in self._events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
            await asyncio.sleep(0)
            if is_gone(receive):
                return
        if self._usage is not None:
            await send({"type": "http.response.body", "body": self._usage, "more_body": True})
            if is_gone(receive):
                return
            self._on_usage()
        await send({"type": "http.response.body", "body": self._end, "more_body": False})
