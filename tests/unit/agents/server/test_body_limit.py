import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from agents.server import body_limit
from agents.server.body_limit import MOST_HEADER_BYTES, BodyLimit

pytestmark = pytest.mark.anyio


class Echo:
    def __init__(self) -> None:
        self.called = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.called = True
        body = await Request(scope, receive).body()
        await PlainTextResponse(body)(scope, receive, send)


async def post(
    app: BodyLimit, content: bytes | AsyncIterator[bytes], path: str = "/message:send", headers: dict[str, str] | None = None
) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent") as client:
        return await client.post(path, content=content, headers=headers)


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


async def test_a_body_that_does_not_come_to_its_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"12345"
        await asyncio.Event().wait()

    monkeypatch.setattr(body_limit, "SLOWEST", 0.01)
    echo = Echo()
    response = await asyncio.wait_for(post(BodyLimit(echo, 10), endless()), 5)
    assert response.status_code == 408
    assert response.headers["connection"] == "close"
    assert response.json()["error"] == {
        "message": "The request's body did not come to its end within 0.01 s.",
        "type": "request_too_slow",
    }
    assert not echo.called


async def test_headers_beyond_the_limit_are_refused() -> None:
    echo = Echo()
    response = await post(BodyLimit(echo), b"{}", headers={"x-user-id": "x" * MOST_HEADER_BYTES})
    assert response.status_code == 431
    assert "headers are larger than 65536 bytes" in response.json()["error"]["message"]
    assert not echo.called


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100])
async def test_at_json_rpcs_path_what_is_no_json_is_an_error_of_json_rpcs(content: bytes) -> None:
    echo = Echo()
    response = await post(BodyLimit(echo), content, "/")
    assert response.status_code == 200
    answer = response.json()
    assert (answer["jsonrpc"], answer["id"], answer["error"]["code"]) == ("2.0", None, -32700)
    assert answer["error"]["message"].startswith("The request's body is ")
    assert not echo.called


async def test_elsewhere_what_is_no_json_is_a_bad_request() -> None:
    echo = Echo()
    response = await post(BodyLimit(echo), b"{")
    assert response.status_code == 400
    assert response.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert not echo.called
