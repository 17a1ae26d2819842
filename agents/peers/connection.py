"""The connections to all peers: one pool, no proxy from the environment, and no body without end."""

from collections.abc import AsyncIterator

import httpx

LONGEST_BODY = 16 * 1024 * 1024
"""Bytes of one answer, a stream included; an answer in words is far below."""

CONNECT = 5
"""Seconds. A peer that runs accepts at once; one that thinks has its time after that."""


class LimitedTransport(httpx.AsyncBaseTransport):
    """Reads no answer beyond `longest` bytes: raises httpx.ReadError there."""

    def __init__(self, transport: httpx.AsyncBaseTransport, longest: int = LONGEST_BODY) -> None:
        self._transport = transport
        self._longest = longest

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        if isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _Limited(response.stream, self._longest)
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()


class _Limited(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, left: int) -> None:
        self._stream = stream
        self._left = left

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._left -= len(chunk)
            if self._left < 0:
                raise httpx.ReadError("The answer is longer than this agent reads.")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def connect(timeout: float) -> httpx.AsyncClient:
    """`timeout` in seconds is the longest silence; a call is bounded by whoever makes it."""
    transport = httpx.AsyncHTTPTransport(
        trust_env=False, limits=httpx.Limits(max_connections=None, max_keepalive_connections=20)
    )
    return httpx.AsyncClient(
        transport=LimitedTransport(transport),
        timeout=httpx.Timeout(timeout, connect=CONNECT),
        trust_env=False,
        # A few compressed bytes would be a long answer.
        headers={"accept-encoding": "identity"},
    )
