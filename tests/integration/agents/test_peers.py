"""Agents called over A2A: against servers of the SDK's, and against such as do not do as A2A has it."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeAlias

import pytest
from a2a.helpers import new_data_part, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, Task, TaskState, TaskStatus
from google.protobuf.json_format import MessageToDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from agents.extension import URI
from agents.lineage import Lineage
from agents.outcomes import ToolCall
from agents.peers.calls import CallablePeers
from agents.peers.directory import Peer, parse_peers
from agents.progress import Progress, ToolAnswered, ToolCalled
from agents.run import Run, enter_run
from agents.usage import Usage, UsageTree
from service.http import server
from tests.unit.agents.doubles import BUDGET
from tests.waiting import until

pytestmark = pytest.mark.anyio

Work: TypeAlias = Callable[[TaskUpdater, RequestContext], Awaitable[None]]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def answers(updater: TaskUpdater, _: RequestContext) -> None:
    await updater.start_work()
    await updater.add_artifact([new_text_part("Use an ")], artifact_id="answer", append=False)
    await updater.add_artifact([new_text_part("index.")], artifact_id="answer", append=True, last_chunk=True)
    usage = UsageTree("support", Usage(1, 2, 3), 1, [UsageTree("web", Usage(4, 5, 9), 1)])
    await updater.update_status(TaskState.TASK_STATE_COMPLETED, metadata={URI: {"usage": usage.document()}})


async def spends_its_budget(updater: TaskUpdater, _: RequestContext) -> None:
    parts = [new_text_part("Sorry."), new_data_part({"budget": BUDGET})]
    usage = {URI: {"usage": UsageTree("support", Usage(1, 0, 1), 1).document()}}
    await updater.update_status(TaskState.TASK_STATE_FAILED, updater.new_agent_message(parts), metadata=usage)


async def rejects(updater: TaskUpdater, _: RequestContext) -> None:
    await updater.reject(updater.new_agent_message([new_text_part("A circle: a -> b -> a.")]))


async def asks_back(updater: TaskUpdater, _: RequestContext) -> None:
    await updater.requires_input(updater.new_agent_message([new_text_part("Which table?")]))


async def never_ends(updater: TaskUpdater, _: RequestContext) -> None:
    await updater.start_work()
    await asyncio.Event().wait()


async def breaks(_: TaskUpdater, __: RequestContext) -> None:
    raise RuntimeError("out of order")


class Support(AgentExecutor):
    """A peer that does one thing, and keeps what it was sent and what was cancelled."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.contexts: list[RequestContext] = []
        self.cancelled: list[str] = []
        self.url = ""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        self.contexts.append(context)
        task = Task(id=context.task_id, context_id=context.context_id, status=TaskStatus(state=TaskState.TASK_STATE_SUBMITTED))
        await event_queue.enqueue_event(task)
        await self._work(TaskUpdater(event_queue, str(context.task_id), str(context.context_id)), context)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        self.cancelled.append(str(context.task_id))
        await TaskUpdater(event_queue, str(context.task_id), str(context.context_id)).cancel()

    def headers(self, index: int = -1) -> dict[str, str]:
        headers: dict[str, str] = self.contexts[index].call_context.state["headers"]
        return headers

    def metadata(self) -> dict[str, Any]:
        message = self.contexts[-1].message
        assert message is not None
        return MessageToDict(message.metadata)[URI]  # type: ignore[no-any-return]


class Servers:
    """Serves on free ports, in the test's own loop."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def serve(self, app: Callable[[str], Starlette]) -> str:
        listener = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        await self._stack.enter_async_context(_serving(app(url), listener))
        return url

    async def support(
        self,
        work: Work = answers,
        *interfaces: tuple[str, str],
        streaming: bool = True,
        card_url: str = "",
    ) -> Support:
        """`interfaces` are bindings with their versions."""
        agent = Support(work)

        def app(url: str) -> Starlette:
            card = AgentCard(
                name="support",
                description="Answers support questions.",
                version="1",
                capabilities=AgentCapabilities(streaming=streaming),
                supported_interfaces=[
                    AgentInterface(url=card_url or url, protocol_binding=binding, protocol_version=version)
                    for binding, version in interfaces or [("JSONRPC", "1.0")]
                ],
            )
            handler = DefaultRequestHandler(agent_executor=agent, task_store=InMemoryTaskStore(), agent_card=card)
            routes = [
                *create_agent_card_routes(card),
                *create_jsonrpc_routes(handler, rpc_url="/", enable_v0_3_compat=True, shutdown_grace_period=0),
                *create_rest_routes(handler, enable_v0_3_compat=True, shutdown_grace_period=0),
            ]
            self._stack.push_async_callback(handler.aclose)
            return Starlette(routes=routes)

        agent.url = await self.serve(app)
        return agent

    async def odd(self, answer: Callable[[dict[str, Any]], Response], *, streaming: bool = True) -> str:
        """A peer whose card is in order; `answer` is handed the JSON-RPC request."""

        def app(url: str) -> Starlette:
            interface = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
            card = {"name": "support", "capabilities": {"streaming": streaming}, "supportedInterfaces": [interface]}

            async def rpc(request: Request) -> Response:
                return answer(await request.json())

            async def well_known(_: Request) -> Response:
                return JSONResponse(card)

            return Starlette(
                routes=[Route("/", rpc, methods=["POST"]), Route("/.well-known/agent-card.json", well_known)],
            )

        return await self.serve(app)

    def peers(self, *peers: Peer, **changes: Any) -> CallablePeers:
        known: dict[str, Any] = {"max_hops": 4, "timeout": 20}
        callable_peers = CallablePeers(peers, **known | changes)
        self._stack.push_async_callback(callable_peers.aclose)
        return callable_peers


@asynccontextmanager
async def _serving(app: Starlette, listener: socket.socket) -> AsyncIterator[None]:
    running = server(app)
    running.config.timeout_graceful_shutdown = 1
    task = asyncio.create_task(running._serve([listener]))
    await until(lambda: running.started, "the server's start")
    try:
        yield
    finally:
        running.should_exit = True
        await task


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    async with AsyncExitStack() as stack:
        yield Servers(stack)


def peer(url: str, name: str = "support") -> Peer:
    return parse_peers(f"{name}={url}")[0]


class Told:
    """A run, and what its listener was told."""

    def __init__(self, **lineage: Any) -> None:
        self.progress: list[Progress] = []
        lineage = {"user": "alice", "root_context": "root", "traceparent": TRACE} | lineage
        self.run = Run("kagent/dba-agent", "context", "task", Lineage(**lineage), self)
        enter_run(self.run)

    def tell(self, progress: Progress) -> None:
        self.progress.append(progress)

    def withdraw(self) -> bool:
        return True


def asking(message: str = "Why is it slow?", tool: str = "support") -> ToolCall:
    return ToolCall("call-1", tool, json.dumps({"message": message}))


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    ("interfaces", "version"),
    [
        ([("JSONRPC", "1.0")], "1.0"),
        ([("JSONRPC", "0.3.0")], "0.3"),
        ([("JSONRPC", "0.3.0"), ("JSONRPC", "1.0")], "1.0"),
        ([("HTTP+JSON", "1.0")], "1.0"),
    ],
)
async def test_a_peer_answers(servers: Servers, interfaces: list[tuple[str, str]], version: str, streaming: bool) -> None:
    support = await servers.support(answers, *interfaces, streaming=streaming)
    told = Told()
    assert await servers.peers(peer(support.url)).call(asking()) == "Use an index."
    assert support.contexts[0].get_user_input() == "Why is it slow?"
    assert support.headers()["a2a-version"] == version
    assert told.run.usage.total == 12
    assert told.run.usage.peers[0].peers[0].agent == "web"


async def test_a_peer_is_told_where_the_task_comes_from(servers: Servers) -> None:
    support = await servers.support()
    name = "ā@example.com".encode().decode("latin-1")
    Told(user=name, path=("kagent/web-agent",), allowance=1000)
    await servers.peers(peer(support.url)).call(asking(), share=3)
    headers = support.headers()
    assert {key: headers.get(key) for key in ("x-user-id", "x-kagent-source", "traceparent", "a2a-extensions")} == {
        "x-user-id": name,
        "x-kagent-source": "agent",
        "traceparent": TRACE,
        "a2a-extensions": URI,
    }
    assert (headers["x-kagent-parent-context-id"], headers["x-kagent-root-context-id"]) == ("context", "root")
    assert "authorization" not in headers
    assert support.metadata() == {"path": ["kagent/web-agent", "kagent/dba-agent"], "allowance": {"tokens": 333}}


async def test_without_an_allowance_none_is_handed_down(servers: Servers) -> None:
    support = await servers.support()
    Told()
    await servers.peers(peer(support.url)).call(asking())
    assert support.metadata() == {"path": ["kagent/dba-agent"]}


async def test_a_peer_is_not_asked_where_no_token_is_left(servers: Servers) -> None:
    support = await servers.support()
    told = Told(allowance=2)
    peers = servers.peers(peer(support.url))
    assert "nothing is left" in await peers.call(asking(), share=3)
    assert not support.contexts
    assert await peers.call(asking(), share=2) == "Use an index."
    assert told.run.allowance_left == 0
    assert "nothing is left" in await peers.call(asking())


async def test_a_peer_remembers_one_conversation(servers: Servers) -> None:
    support = await servers.support()
    told = Told()
    peers = servers.peers(peer(support.url), peer(support.url, "other"))
    await peers.call(asking())
    await peers.call(asking())
    await peers.call(asking(tool="other"))
    told.run.context_id = "another"
    await peers.call(asking())
    told.run.context_id, told.run.agent = "context", "kagent/web-agent"
    await peers.call(asking())
    first, second, *others = [context.context_id for context in support.contexts]
    assert first == second
    assert len({first, *others}) == 4


async def test_who_listens_sees_the_call_and_its_answer(servers: Servers) -> None:
    support = await servers.support()
    told = Told()
    await servers.peers(peer(support.url)).call(asking())
    assert told.progress == [
        ToolCalled("call-1", "support", {"message": "Why is it slow?"}),
        ToolAnswered(
            "call-1",
            "support",
            {
                "result": "Use an index.",
                "subagent_session_id": support.contexts[0].context_id,
                "kagent_usage_metadata": {"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": 12},
            },
        ),
    ]


async def test_one_line_is_logged_of_a_call(servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    support = await servers.support()
    Told()
    with caplog.at_level(logging.INFO, "agents"):
        await servers.peers(peer(support.url)).call(asking())
    assert [record.getMessage() for record in caplog.records if record.name.startswith("agents")] == [
        f"Called agent support in context {support.contexts[0].context_id} for user 'alice': TASK_STATE_COMPLETED, 12 tokens."
    ]


async def test_a_spent_budget_is_an_answer_and_its_usage_counts(servers: Servers) -> None:
    support = await servers.support(spends_its_budget, ("JSONRPC", "0.3.0"))
    told = Told()
    text = await servers.peers(peer(support.url)).call(asking())
    assert "its team's budget is spent (team-token-budget/dba/hour: 5,012 of 5,000 tokens)" in text
    assert "it resets at 15:00 UTC" in text
    assert told.run.usage.total == 1


async def test_a_peer_whose_budget_is_spent_is_not_asked_again_in_the_turn(servers: Servers) -> None:
    support, other = await servers.support(spends_its_budget), await servers.support()
    told = Told()
    peers = servers.peers(peer(support.url), peer(other.url, "other"))
    first = await peers.call(asking())
    assert await peers.call(asking("And now?")) == first
    assert await peers.call(asking(tool="other")) == "Use an index."
    assert (len(support.contexts), len(other.contexts)) == (1, 1)
    assert told.run.usage.total == 13
    Told()
    await peers.call(asking())
    assert len(support.contexts) == 2


async def test_a_peer_that_failed_may_be_asked_again_in_the_turn(servers: Servers) -> None:
    support = await servers.support(breaks)
    Told()
    peers = servers.peers(peer(support.url))
    for _ in range(2):
        await peers.call(asking())
    assert len(support.contexts) == 2


async def test_a_refused_circle_is_an_answer(servers: Servers) -> None:
    support = await servers.support(rejects)
    Told()
    assert await servers.peers(peer(support.url)).call(asking()) == "support refused the task: A circle: a -> b -> a."


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_peer_that_asks_back_is_not_left_waiting(servers: Servers, streaming: bool) -> None:
    support = await servers.support(asks_back, streaming=streaming)
    Told()
    text = await servers.peers(peer(support.url)).call(asking())
    assert text.startswith("support asks back")
    assert text.endswith("Which table?")
    assert support.cancelled == [support.contexts[0].task_id]


async def test_a_peer_that_breaks_is_an_answer(servers: Servers) -> None:
    support = await servers.support(breaks)
    Told()
    assert (await servers.peers(peer(support.url)).call(asking())).startswith("support failed")


@pytest.mark.parametrize(("version", "streaming"), [("1.0", True), ("1.0", False), ("0.3.0", True), ("0.3.0", False)])
async def test_a_slow_peer_is_told_to_stop(servers: Servers, version: str, streaming: bool) -> None:
    support = await servers.support(never_ends, ("JSONRPC", version), streaming=streaming)
    Told()
    text = await servers.peers(peer(support.url), timeout=2).call(asking())
    assert text == "support did not answer within 2 seconds and was told to stop. Answer without it."
    assert support.cancelled == [support.contexts[0].task_id]


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_cancelled_call_is_cancelled_at_the_peer(
    servers: Servers, streaming: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "agents.peers")
    support = await servers.support(never_ends, streaming=streaming)
    told = Told()
    call = asyncio.create_task(servers.peers(peer(support.url)).call(asking()))
    await until(lambda: "works on task" in caplog.text, "the first event")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: support.cancelled == [support.contexts[0].task_id], "the peer's cancellation")
    assert [type(progress) for progress in told.progress] == [ToolCalled]


async def test_closing_waits_for_the_last_cancellation(servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "agents.peers")
    support = await servers.support(never_ends)
    Told()
    peers = servers.peers(peer(support.url))
    call = asyncio.create_task(peers.call(asking()))
    await until(lambda: "works on task" in caplog.text, "the first event")
    call.cancel()
    await asyncio.wait([call])
    await peers.aclose()
    assert support.cancelled == [support.contexts[0].task_id]


def event(request: dict[str, Any], **payload: Any) -> str:
    return f"data: {json.dumps({'jsonrpc': '2.0', 'id': request['id'], 'result': payload})}\n\n"


def task(state: str, text: str = "") -> dict[str, Any]:
    artifacts = [{"artifactId": "a", "parts": [{"text": text}]}] if text else []
    return {"id": "task-1", "contextId": "c", "status": {"state": f"TASK_STATE_{state}"}, "artifacts": artifacts}


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
    (tool,) = await peers.tools()
    assert tool["function"]["name"] == "support"
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


async def test_a_tool_has_its_cards_description(servers: Servers) -> None:
    support = await servers.support()
    Told()
    (tool,) = await servers.peers(peer(support.url)).tools()
    assert tool["function"]["description"].endswith("Answers support questions.")


async def test_whom_a_call_could_not_reach_is_not_offered(servers: Servers) -> None:
    support = await servers.support()
    peers = servers.peers(peer(support.url), peer(support.url, "kagent/web-agent"))
    Told(path=("kagent/web-agent",))
    assert [tool["function"]["name"] for tool in await peers.tools()] == ["support"]
    assert "only support" in await peers.call(asking(tool="kagent__NS__web_agent"))
    Told(path=("a", "b"))
    assert len(await peers.tools()) == 2
    Told(path=("a", "b", "c"))
    assert await peers.tools() == []
    assert "there are none here" in await peers.call(asking())
    assert not support.contexts


async def test_arguments_that_cannot_be_read_are_told_to_the_llm(servers: Servers) -> None:
    support = await servers.support()
    told = Told()
    text = await servers.peers(peer(support.url)).call(ToolCall("call-1", "support", '{"message": "Why'))
    assert '{"message": "..."}' in text
    assert told.progress == [ToolCalled("call-1", "support", {}), ToolAnswered("call-1", "support", {"result": text})]
    assert not support.contexts


async def test_a_card_that_points_elsewhere_is_not_followed(servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    victim = await servers.support()
    support = await servers.support(card_url=victim.url)
    Told()
    with caplog.at_level(logging.WARNING, "agents"):
        assert await servers.peers(peer(support.url)).call(asking()) == "Use an index."
    assert (len(support.contexts), len(victim.contexts)) == (1, 0)
    assert victim.url in caplog.text


async def test_a_card_without_a_way_to_speak_is_an_answer(servers: Servers) -> None:
    support = await servers.support(answers, ("GRPC", "1.0"))
    Told()
    assert "neither JSON-RPC nor HTTP+JSON" in await servers.peers(peer(support.url)).call(asking())


async def test_kagents_controller_is_told_who_calls(servers: Servers) -> None:
    seen: list[Mapping[str, str]] = []
    users: list[str] = []

    def to_controller(user: str) -> dict[bytes, bytes]:
        users.append(user)
        return {b"authorization": b"Bearer kagents", b"x-agent-name": b"kagent__NS__dba_agent"}

    def app(url: str) -> Starlette:
        async def rpc(request: Request) -> Response:
            seen.append(dict(request.headers))
            return JSONResponse({"jsonrpc": "2.0", "id": "1", "result": {"task": task("COMPLETED", "Use an index.")}})

        async def well_known(request: Request) -> Response:
            seen.append(dict(request.headers))
            interface = {"url": "http://outside/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
            return JSONResponse({"name": "support", "supportedInterfaces": [interface]})

        at = "/api/a2a/kagent/support/"
        return Starlette(routes=[Route(at, rpc, methods=["POST"]), Route(f"{at}.well-known/agent-card.json", well_known)])

    Told()
    known = parse_peers("support", await servers.serve(app), "kagent")
    peers = servers.peers(*known, to_controller=to_controller)
    assert await peers.call(asking(tool="kagent__NS__support")) == "Use an index."
    assert [(each["authorization"], each["x-agent-name"]) for each in seen] == [("Bearer kagents", "kagent__NS__dba_agent")] * 2
    assert set(users) == {"alice"}
