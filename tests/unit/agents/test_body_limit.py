from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from agents.body_limit import BodyLimit

pytestmark = pytest.mark.anyio


class Echo:
    def __init__(self) -> None:
        self.called = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.called = True
        body = await Request(scope, receive).body()
        await PlainTextResponse(body)(scope, receive, send)


async def post(app: BodyLimit, content: bytes | AsyncIterator[bytes]) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent") as client:
        return await client.post("/", content=content)


async def pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"12345"


@pytest.mark.parametrize("content", [b"", b"1234567890"])
async def test_a_body_within_the_limit_passes_unchanged(content: bytes) -> None:
    response = await post(BodyLimit(Echo(), 10), content)
    assert (response.status_code, response.content) == (200, content)


async def test_a_body_in_pieces_within_the_limit_passes_unchanged() -> None:
    assert (await post(BodyLimit(Echo(), 10), pieces(2))).content == b"1234512345"


@pytest.mark.parametrize("content", [b"12345678901", pieces(3)])
async def test_a_larger_body_is_refused_and_does_not_reach_the_application(
    content: bytes | AsyncIterator[bytes],
) -> None:
    echo = Echo()
    response = await post(BodyLimit(echo, 10), content)
    assert response.status_code == 413
    assert response.json()["error"]["message"] == "The request's body is larger than 10 bytes."
    assert not echo.called
