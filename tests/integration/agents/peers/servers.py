"""Agents to call: servers of the SDK's, and such as do not do as A2A has it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeAlias

from a2a.helpers import new_data_part, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, Task, TaskState, TaskStatus
from google.protobuf.json_format import MessageToDict
from langchain_core.utils.function_calling import convert_to_openai_tool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents.extension import URI
from agents.lineage import Lineage
from agents.outcomes import ToolCall
from agents.peers.calls import CallablePeers
from agents.peers.directory import Peer, parse_peers
from agents.progress import Progress
from agents.run import Run, enter_run
from agents.usage import Usage, UsageTree
from service.http import server
from tests.unit.agents.doubles import BUDGET
from tests.waiting import until

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


async def functions(peers: CallablePeers) -> list[dict[str, Any]]:
    """The tools as the LLM is offered them."""
    return [convert_to_openai_tool(tool)["function"] for tool in await peers.tools()]


def asking(message: str = "Why is it slow?", tool: str = "support") -> ToolCall:
    return ToolCall("call-1", tool, json.dumps({"message": message}))


def event(request: dict[str, Any], **payload: Any) -> str:
    return f"data: {json.dumps({'jsonrpc': '2.0', 'id': request['id'], 'result': payload})}\n\n"


def task(state: str, text: str = "") -> dict[str, Any]:
    artifacts = [{"artifactId": "a", "parts": [{"text": text}]}] if text else []
    return {"id": "task-1", "contextId": "c", "status": {"state": f"TASK_STATE_{state}"}, "artifacts": artifacts}
