"""A bound on request bodies, and a look into them; the A2A SDK has neither."""

import asyncio

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agents.server.json_body import BodyError, check_json

MOST_BYTES = 1024 * 1024

MOST_HEADER_BYTES = 64 * 1024

SLOWEST = 10
"""Seconds that a body may take; one that never ends would hold up the shutdown."""

PATIENCE = 32
"""Times the limit that are read and thrown away, so that whoever sent them can be told."""


class BodyLimit:
    """Answers 413 where a body is larger than `most` bytes, by what it declares or by what it turns out to be.

    A body that is no usable JSON is refused as A2A says: at `rpc_path` by an error of JSON-RPC's, and elsewhere by HTTP 400.
    """

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES, rpc_path: str = "/") -> None:
        self._app = app
        self._most = most
        self._rpc_path = rpc_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEADER_BYTES:
            await _refusal_of("headers are larger than", f"{MOST_HEADER_BYTES} bytes", 431)(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        too_large = declared.isdecimal() and int(declared[:20]) > self._most
        try:
            async with asyncio.timeout(SLOWEST):
                body = [] if too_large else await _read(receive, self._most)
        except TimeoutError:
            await _refusal_of("body did not come to its end within", f"{SLOWEST} s", 408)(scope, receive, send)
            return
        if body:
            refusal = self._refusal(scope, b"".join(message.get("body", b"") for message in body))
            await (refusal or self._app)(scope, _replay(body, receive), send)
            return
        # A client hears nothing while it still sends, and a connection that is closed on it loses the answer.
        await _read(receive, PATIENCE * self._most, keep=False)
        await _refusal_of("body is larger than", f"{self._most} bytes", 413)(scope, receive, send)

    def _refusal(self, scope: Scope, body: bytes) -> JSONResponse | None:
        to_rpc = scope["method"] == "POST" and scope["path"] == self._rpc_path
        if not body and not to_rpc:
            return None
        try:
            check_json(body)
        except BodyError as error:
            told = f"The request's body {error}."
        else:
            return None
        if to_rpc:
            return JSONResponse({"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": told}})
        return JSONResponse({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": told}}, 400)


def _refusal_of(what: str, bound: str, status: int) -> JSONResponse:
    kind = "request_too_slow" if status == 408 else "request_too_large"
    error = {"message": f"The request's {what} {bound}.", "type": kind}
    return JSONResponse({"error": error}, status, {"connection": "close"})


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
