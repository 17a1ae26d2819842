"""The floor of the agents' bench: the a2a-sdk's own server, whose agent says yes and does nothing else.

`python -m benchmarks.echo PORT [DATABASE]`: with a file, the SDK's own store keeps the tasks in SQLite, as ours does.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop
from a2a.helpers import new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, Task, TaskState, TaskStatus
from starlette.applications import Starlette

from service.http import listen, serve_together


class Echo(AgentExecutor):
    """As many events as the agent's: a task, at work, an artifact, done."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
        status.timestamp.GetCurrentTime()
        history = [context.message] if context.message else []
        await event_queue.enqueue_event(Task(id=context.task_id, context_id=context.context_id, status=status, history=history))
        updater = TaskUpdater(event_queue, str(context.task_id), str(context.context_id))
        await updater.start_work()
        await updater.add_artifact([new_text_part("Yes.")], name="answer", last_chunk=True)
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        await TaskUpdater(event_queue, str(context.task_id), str(context.context_id)).cancel()


def create_app(port: int, store: TaskStore) -> Starlette:
    url = f"http://127.0.0.1:{port}"
    card = AgentCard(
        name="echo",
        description="Says yes.",
        version="1",
        supported_interfaces=[AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="1.0")],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
    )
    handler = DefaultRequestHandler(agent_executor=Echo(), task_store=store, agent_card=card)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await handler.aclose()

    return Starlette(routes=[*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/")], lifespan=lifespan)


def open_store(database: str | None) -> TaskStore:
    if database is None:
        return InMemoryTaskStore()
    from a2a.server.tasks import DatabaseTaskStore  # noqa: PLC0415 - the floor in memory is measured without SQLAlchemy
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415

    return DatabaseTaskStore(create_async_engine(f"sqlite+aiosqlite:///{database}"))


async def serve(port: int, database: str | None) -> None:
    await serve_together((create_app(port, open_store(database)), listen("127.0.0.1", port, "PORT")))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
