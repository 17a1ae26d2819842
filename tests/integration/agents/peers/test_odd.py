"""Agents called that do not do as A2A has it, or are away."""

import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from agents.progress import ToolAnswered
from tests.integration.agents.peers.servers import Servers, Told, asking, event, functions, peer, task

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("broken", [False, True])
async def test_a_stream_without_an_end_is_followed_up(servers: Servers, broken: bool) -> None:
    looks: list[str] = []

    async def events(request: dict[str, Any]) -> AsyncIterator[str]:
        yield event(request, task=task("WORKING"))
        if broken:
            raise ConnectionResetError("The peer hangs up.")

    def answer(request: dict[str, Any]) -> Response:
        if request["method"] == "SendStreamingMessage":
            return StreamingResponse(events(request), media_type="text/event-stream")
        looks.append(request["params"]["id"])
        state = task("COMPLETED", "Use an index.") if len(looks) == 3 else task("WORKING")
        return JSONResponse({"jsonrpc": "2.0", "id": request["id"], "result": state})

    Told()
    assert await servers.peers(peer(await servers.odd(answer))).call(asking()) == "Use an index."
    assert looks == ["task-1"] * 3


async def test_a_peer_that_is_gone_for_good_is_given_up(servers: Servers) -> None:
    methods: list[str] = []

    def answer(request: dict[str, Any]) -> Response:
        methods.append(request["method"])
        if request["method"] == "SendStreamingMessage":
            return StreamingResponse(iter([event(request, task=task("WORKING"))]), media_type="text/event-stream")
        return Response(status_code=503)

    Told()
    text = await servers.peers(peer(await servers.odd(answer))).call(asking())
    assert text == "support could not be asked: it answered HTTP 503."
    assert methods == ["SendStreamingMessage", *["GetTask"] * 5, "CancelTask"]


UNREADABLE = "support answered something that this agent cannot read."
HUNG_UP = "support hung up before it had answered. Answer without it, or try again later."


def errs(request: dict[str, Any]) -> Response:
    error = {"code": -32004, "message": "Not for agents."}
    return JSONResponse({"jsonrpc": "2.0", "id": request["id"], "error": error})


@pytest.mark.parametrize(
    ("answer", "streamed", "whole"),
    [
        (lambda _: Response(status_code=503), "support could not be asked: it answered HTTP 503.", None),
        (lambda _: Response(b"not JSON", media_type="application/json"), UNREADABLE, None),
        (lambda _: StreamingResponse(iter([b"data: nought\n\n"]), media_type="text/event-stream"), UNREADABLE, None),
        (lambda _: StreamingResponse(iter([b""]), media_type="text/event-stream"), HUNG_UP, UNREADABLE),
        (lambda _: StreamingResponse(_big(), media_type="text/event-stream"), HUNG_UP, None),
        (errs, "support refused the call: Not for agents.", None),
    ],
)
@pytest.mark.parametrize("streaming", [True, False])
async def test_a_peer_that_does_not_do_as_a2a_has_it_is_an_answer(
    servers: Servers, answer: Callable[[dict[str, Any]], Response], streamed: str, whole: str | None, streaming: bool
) -> None:
    told = Told()
    text = await servers.peers(peer(await servers.odd(answer, streaming=streaming))).call(asking())
    assert text == (streamed if streaming or whole is None else whole)
    assert isinstance(told.progress[-1], ToolAnswered)
    assert told.run.usage.peers == []


async def _big() -> AsyncIterator[bytes]:
    for _ in range(17):
        yield b" " * 1024 * 1024


async def test_a_message_without_a_task_is_an_answer(servers: Servers) -> None:
    def answer(request: dict[str, Any]) -> Response:
        message = {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "Hello."}]}
        return StreamingResponse(iter([event(request, message=message)]), media_type="text/event-stream")

    Told()
    assert await servers.peers(peer(await servers.odd(answer))).call(asking()) == "Hello."


async def test_a_peer_that_is_away_is_offered_and_then_said_to_be(servers: Servers) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    Told()
    peers = servers.peers(peer(url))
    assert [tool["name"] for tool in await functions(peers)] == ["support"]
    assert await peers.call(asking()) == "support could not be reached. Answer without it, or try again later."


async def test_a_peer_that_has_come_back_is_called_at_once(servers: Servers) -> None:
    def app(url: str) -> Starlette:
        interface = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        cards = iter([Response(status_code=503), JSONResponse({"name": "support", "supportedInterfaces": [interface]})])

        async def rpc(_: Request) -> Response:
            return JSONResponse({"jsonrpc": "2.0", "id": "1", "result": {"task": task("COMPLETED", "Use an index.")}})

        async def well_known(_: Request) -> Response:
            return next(cards)

        return Starlette(routes=[Route("/", rpc, methods=["POST"]), Route("/.well-known/agent-card.json", well_known)])

    Told()
    peers = servers.peers(peer(await servers.serve(app)))
    assert len(await peers.tools()) == 1
    assert await peers.call(asking()) == "Use an index."
