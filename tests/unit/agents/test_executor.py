import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from a2a.helpers import get_data_parts, get_message_text, new_data_part, new_text_part
from a2a.server.agent_execution import RequestContext
from a2a.server.context import ServerCallContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatusUpdateEvent,
)
from google.protobuf.json_format import MessageToDict
from langchain_core.messages import AnyMessage

from agents.card import build_card
from agents.executor import Executor
from agents.graph import build_graph
from agents.llm import CallLLM
from agents.memory import Conversations, ConversationSaver
from agents.outcomes import BudgetExhausted, IdentityRefused, Meter, Outcome
from agents.tasks import BoundedTaskStore, BusyTaskRefused
from agents.texts import INTERNAL, NO_TEXT, SHUTTING_DOWN
from tests.unit.agents.doubles import BUDGET, SPENT, Model, answered, settings

pytestmark = pytest.mark.anyio

CALL = ServerCallContext()


@asynccontextmanager
async def served(model: CallLLM) -> AsyncIterator[tuple[DefaultRequestHandler, Executor]]:
    saver = ConversationSaver()
    executor = Executor(Conversations(build_graph(model, team="dba", system_prompt="Be brief.", checkpointer=saver), saver))
    tasks = BoundedTaskStore()
    handler = DefaultRequestHandler(
        agent_executor=executor,
        task_store=tasks,
        agent_card=build_card(settings()),
        request_context_builder=BusyTaskRefused(tasks),
    )
    try:
        yield handler, executor
    finally:
        await handler.aclose()


def message(*parts: Part, task_id: str = "", context_id: str = "") -> Message:
    said = parts or (new_text_part("hi"),)
    return Message(message_id="m", role=Role.ROLE_USER, parts=said, task_id=task_id, context_id=context_id)


async def events(handler: DefaultRequestHandler, said: Message) -> list[Any]:
    return [event async for event in handler.on_message_send_stream(SendMessageRequest(message=said), CALL)]


async def last_status(model: CallLLM, *parts: Part) -> TaskStatusUpdateEvent:
    async with served(model) as (handler, _):
        last = (await events(handler, message(*parts)))[-1]
    assert isinstance(last, TaskStatusUpdateEvent)
    return last


class Hanging:
    """A model that does not answer, and knows whether its call was ended."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, _: Sequence[AnyMessage]) -> Outcome:
        self.begun.set()
        try:
            await self.go_on.wait()
        finally:
            self.ended.set()
        return answered()


async def test_an_answer_is_told_as_kagent_shows_it() -> None:
    async with served(Model()) as (handler, _):
        task, working, artifact, completed = await events(handler, message(context_id="c"))
    assert isinstance(task, Task)
    assert task.context_id == "c"
    assert task.status.state == TaskState.TASK_STATE_SUBMITTED
    assert task.status.HasField("timestamp")
    assert [get_message_text(said) for said in task.history] == ["hi"]
    assert isinstance(working, TaskStatusUpdateEvent)
    assert working.status.state == TaskState.TASK_STATE_WORKING
    assert isinstance(artifact, TaskArtifactUpdateEvent)
    assert artifact.last_chunk
    assert not artifact.append
    assert [part.text for part in artifact.artifact.parts] == ["An essay."]
    assert isinstance(completed, TaskStatusUpdateEvent)
    assert completed.status.state == TaskState.TASK_STATE_COMPLETED
    assert not completed.status.HasField("message")
    assert MessageToDict(completed.metadata) == {
        "kagent_usage_metadata": {"promptTokenCount": 13, "candidatesTokenCount": 700, "totalTokenCount": 713}
    }


async def test_a_spent_budget_fails_the_task_with_the_sentence_and_the_budget() -> None:
    status = (await last_status(Model(SPENT))).status
    assert status.state == TaskState.TASK_STATE_FAILED
    assert get_message_text(status.message).startswith(
        "Sorry — your team's LLM token budget is exhausted. Please try again later. (HTTP 429 from the gateway; team='dba'.) "
    )
    assert get_data_parts(status.message.parts) == [{"budget": BUDGET}]


@pytest.mark.parametrize("budget", [None, {}, BUDGET | {"limit": float("inf")}, BUDGET | {"limit": 10**400}])
async def test_without_a_budget_that_can_be_passed_on_the_sentence_stands_alone(budget: dict[str, Any] | None) -> None:
    status = (await last_status(Model(BudgetExhausted(429, budget, None, None, Meter())))).status
    assert status.state == TaskState.TASK_STATE_FAILED
    (part,) = status.message.parts
    assert part.text.startswith("Sorry — your team's LLM token budget is exhausted.")


async def test_another_failure_fails_the_task_with_a_sentence() -> None:
    status = (await last_status(Model(IdentityRefused(401, "Jwt is expired")))).status
    assert status.state == TaskState.TASK_STATE_FAILED
    (part,) = status.message.parts
    assert "HTTP 401: Jwt is expired" in part.text


@pytest.mark.parametrize("part", [new_text_part("  \n"), new_data_part({"a": 1})])
async def test_a_message_without_text_is_rejected_and_costs_nothing(part: Part) -> None:
    model = Model()
    status = (await last_status(model, part)).status
    assert status.state == TaskState.TASK_STATE_REJECTED
    assert get_message_text(status.message) == NO_TEXT
    assert model.conversations == []


async def test_an_exception_in_the_graph_fails_the_task_and_shows_only_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(_: Sequence[AnyMessage]) -> Outcome:
        raise ValueError("the cupboard is bare")

    status = (await last_status(broken)).status
    assert status.state == TaskState.TASK_STATE_FAILED
    assert get_message_text(status.message) == INTERNAL
    assert "the cupboard is bare" in caplog.text
    assert "Traceback" in caplog.text


async def begin(handler: DefaultRequestHandler, model: Hanging) -> Task:
    said = SendMessageRequest(message=message(), configuration=SendMessageConfiguration(return_immediately=True))
    task = await handler.on_message_send(said, CALL)
    assert isinstance(task, Task)
    await model.begun.wait()
    return task


async def test_cancelling_ends_the_call_to_the_llm() -> None:
    model = Hanging()
    async with served(model) as (handler, _):
        task = await begin(handler, model)
        cancelled = await handler.on_cancel_task(CancelTaskRequest(id=task.id), CALL)
        await model.ended.wait()
        stored = await handler.on_get_task(GetTaskRequest(id=task.id), CALL)
    assert cancelled is not None
    assert stored is not None
    assert cancelled.status.state == stored.status.state == TaskState.TASK_STATE_CANCELED


class Heard:
    """A queue that no server reads."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    async def enqueue_event(self, event: Any) -> None:
        self.events.append(event)


async def test_a_cancelled_task_cannot_answer_any_more_even_before_the_sdk_stops_it() -> None:
    model, heard = Hanging(), Heard()
    async with served(model) as (handler, executor):
        task = await begin(handler, model)
        ids = RequestContext(call_context=CALL, task_id=task.id, context_id=task.context_id)
        await executor.cancel(ids, cast(EventQueue, heard))
        await asyncio.wait_for(model.ended.wait(), 5)
    assert [event.status.state for event in heard.events] == [TaskState.TASK_STATE_CANCELED]


async def test_a_listener_hears_that_the_task_was_cancelled() -> None:
    model = Hanging()
    async with served(model) as (handler, _):
        stream = handler.on_message_send_stream(SendMessageRequest(message=message()), CALL)
        task, _working = await anext(stream), await anext(stream)
        assert isinstance(task, Task)
        await model.begun.wait()
        await handler.on_cancel_task(CancelTaskRequest(id=task.id), CALL)
        heard: list[Any] = [event async for event in stream]
    assert heard[-1].status.state == TaskState.TASK_STATE_CANCELED


async def test_a_drain_lets_a_task_end() -> None:
    model = Hanging()
    async with served(model) as (handler, executor):
        listener = asyncio.ensure_future(events(handler, message()))
        await model.begun.wait()
        drain = asyncio.ensure_future(executor.drain(60))
        model.go_on.set()
        await drain
        heard = await listener
    assert heard[-1].status.state == TaskState.TASK_STATE_COMPLETED


async def test_a_task_that_outlasts_the_drain_fails_and_says_why() -> None:
    model = Hanging()
    async with served(model) as (handler, executor):
        listener = asyncio.ensure_future(events(handler, message()))
        await model.begun.wait()
        await executor.drain(0)
        heard = await listener
    assert model.ended.is_set()
    assert heard[-1].status.state == TaskState.TASK_STATE_FAILED
    assert get_message_text(heard[-1].status.message) == SHUTTING_DOWN


async def test_a_drain_with_nothing_to_wait_for_returns() -> None:
    async with served(Model()) as (handler, executor):
        await events(handler, message())
        await executor.drain(60)
