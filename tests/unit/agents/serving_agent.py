"""The executor behind the SDK's own handler, as the tests of events need it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from a2a.helpers import new_text_part
from a2a.server.agent_execution import RequestContext
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.types import (
    GetTaskRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    Task,
    TaskStatusUpdateEvent,
)
from google.protobuf.json_format import MessageToDict

from agents.conversations import Conversations
from agents.extension import URI
from agents.graph import build_graph
from agents.kit import CallLLM, GraphBuilder
from agents.server.admission import Admission
from agents.server.card import build_card
from agents.server.executor import Executor
from agents.storage.store import Storage
from tests.unit.agents.doubles import Hanging, kit, settings

CALL = ServerCallContext()


class Served:
    def __init__(self, handler: DefaultRequestHandler, executor: Executor) -> None:
        self.handler = handler
        self.executor = executor

    async def events(self, said: Message) -> list[Any]:
        return [event async for event in self.handler.on_message_send_stream(SendMessageRequest(message=said), CALL)]

    async def begin(self, model: Hanging) -> Task:
        """The task once it is with the model."""
        configuration = SendMessageConfiguration(return_immediately=True)
        said = SendMessageRequest(message=message(), configuration=configuration)
        task = await self.handler.on_message_send(said, CALL)
        assert isinstance(task, Task)
        await model.begun.wait()
        return task

    async def stored(self, task_id: str) -> Task:
        task: Task | None = await self.handler.on_get_task(GetTaskRequest(id=task_id), CALL)
        assert task is not None
        return task


@asynccontextmanager
async def served(
    storage: Storage, model: CallLLM | None = None, graph: GraphBuilder = build_graph, max_hops: int = 4, **changes: Any
) -> AsyncIterator[Served]:
    compiled = graph(kit(model, checkpointer=storage.checkpointer, **changes))
    executor = Executor(Conversations(compiled, storage), "dba-agent", max_hops)
    storage.on_saved(lambda task, _: executor.saved(task))
    handler = DefaultRequestHandler(
        agent_executor=executor,
        task_store=storage.tasks,
        agent_card=build_card(settings()),
        request_context_builder=Admission(storage),
    )
    try:
        yield Served(handler, executor)
    finally:
        await handler.aclose()


def message(*parts: Part, said: dict[str, Any] | None = None, task_id: str = "", context_id: str = "") -> Message:
    """`said` is what the caller says under the extension's key."""
    text = parts or (new_text_part("hi"),)
    metadata = {URI: said} if said is not None else None
    return Message(message_id="m", role=Role.ROLE_USER, parts=text, task_id=task_id, context_id=context_id, metadata=metadata)


class Heard:
    """A queue that no server reads. After `break_after` events it takes no more, as that of a task that has ended."""

    def __init__(self, break_after: int = 1000) -> None:
        self.events: list[Any] = []
        self._left = break_after

    async def enqueue_event(self, event: Any) -> None:
        if not self._left:
            raise RuntimeError("the task has ended")
        self._left -= 1
        self.events.append(event)


def at_the_executor(said: Message) -> RequestContext:
    """Task "t" in context "c"."""
    return RequestContext(call_context=CALL, request=SendMessageRequest(message=said), task_id="t", context_id="c")


async def last_status(
    storage: Storage, model: CallLLM | None, said: Message | None = None, **changes: Any
) -> TaskStatusUpdateEvent:
    async with served(storage, model, **changes) as agent:
        last = (await agent.events(said or message()))[-1]
    assert isinstance(last, TaskStatusUpdateEvent)
    return last


def reported(event: Any) -> dict[str, Any]:
    """The extension's object in the metadata of an event or a task."""
    document: dict[str, Any] = MessageToDict(event.metadata)
    said: dict[str, Any] = document[URI]
    return said
