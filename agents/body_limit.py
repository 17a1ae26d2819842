"""A bound on request bodies; the A2A SDK has none."""

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 1024 * 1024

PATIENCE = 32
"""Times the limit that are read and thrown away, so that whoever sent them can be told."""


class BodyLimit:
    """Answers 413 where a body is larger than `most` bytes, by what it declares or by what it turns out to be."""

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        too_large = declared.isdecimal() and int(declared[:20]) > self._most
        body = [] if too_large else await _read(receive, self._most)
        if body:
            await self._app(scope, _replay(body, receive), send)
            return
        # A client hears nothing while it still sends, and a connection that is closed on it loses the answer.
        await _read(receive, PATIENCE * self._most, keep=False)
        error = {"message": f"The request's body is larger than {self._most} bytes.", "type": "request_too_large"}
        await JSONResponse({"error": error}, 413, {"connection": "close"})(scope, receive, send)


async def _read(receive: Receive, most: int, keep: bool = True) -> list[Message]:
    """The messages of the rest of the body; none where it is larger than `most` bytes."""
    messages: list[Message] = []
    size = 0
    more = True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            return []
        if keep:
            messages.append(message)
        more = message.get("more_body", False)
    return messages


def _replay(messages: list[Message], receive: Receive) -> Receive:
    left = iter(messages)

    async def replay() -> Message:
        for message in left:
            return message
        return await receive()

    return replay
