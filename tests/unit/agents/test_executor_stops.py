"""Cancelling and shutting down: what runs is ended, and says so."""

import asyncio
from typing import Any, cast

import pytest
from a2a.helpers import get_message_text
from a2a.server.agent_execution import RequestContext
from a2a.server.events import EventQueue
from a2a.types import CancelTaskRequest, SendMessageRequest, Task, TaskState

from agents.storage.store import Storage
from agents.texts import SHUTTING_DOWN
from tests.unit.agents.doubles import Hanging, Model
from tests.unit.agents.serving_agent import CALL, Heard, message, reported, served

pytestmark = pytest.mark.anyio


async def test_cancelling_ends_the_call_to_the_llm(storage: Storage) -> None:
    model = Hanging()
    async with served(storage, model) as agent:
        task = await agent.begin(model)
        cancelled = await agent.handler.on_cancel_task(CancelTaskRequest(id=task.id), CALL)
        await model.ended.wait()
        stored = await agent.stored(task.id)
    assert cancelled is not None
    assert cancelled.status.state == stored.status.state == TaskState.TASK_STATE_CANCELED
    assert reported(stored)["usage"]["total"] == 0


async def test_a_cancelled_task_cannot_answer_any_more_even_before_the_sdk_stops_it(storage: Storage) -> None:
    model, heard = Hanging(), Heard()
    async with served(storage, model) as agent:
        task = await agent.begin(model)
        ids = RequestContext(call_context=CALL, task_id=task.id, context_id=task.context_id)
        await agent.executor.cancel(ids, cast(EventQueue, heard))
        await asyncio.wait_for(model.ended.wait(), 5)
    assert [event.status.state for event in heard.events] == [TaskState.TASK_STATE_CANCELED]
    assert "usage" in reported(heard.events[0])


async def test_a_task_that_is_not_at_work_here_is_cancelled_all_the_same(storage: Storage) -> None:
    heard = Heard()
    async with served(storage) as agent:
        ids = RequestContext(call_context=CALL, task_id="t", context_id="c")
        await agent.executor.cancel(ids, cast(EventQueue, heard))
    (event,) = heard.events
    assert event.status.state == TaskState.TASK_STATE_CANCELED


async def test_a_listener_hears_that_the_task_was_cancelled(storage: Storage) -> None:
    model = Hanging()
    async with served(storage, model) as agent:
        stream = agent.handler.on_message_send_stream(SendMessageRequest(message=message()), CALL)
        task, _working = await anext(stream), await anext(stream)
        assert isinstance(task, Task)
        await model.begun.wait()
        await agent.handler.on_cancel_task(CancelTaskRequest(id=task.id), CALL)
        heard: list[Any] = [event async for event in stream]
    assert heard[-1].status.state == TaskState.TASK_STATE_CANCELED


async def test_the_context_of_a_cancelled_task_goes_on(storage: Storage) -> None:
    hanging = Hanging()
    async with served(storage, hanging) as agent:
        task = await agent.begin(hanging)
        await agent.handler.on_cancel_task(CancelTaskRequest(id=task.id), CALL)
    model = Model()
    async with served(storage, model) as agent:
        await agent.events(message(context_id=task.context_id))
    assert model.conversations == [[("system", "Be brief."), ("human", "hi"), ("human", "hi")]]


async def test_a_task_that_another_replica_has_ended_is_left(storage: Storage) -> None:
    model = Hanging()
    async with served(storage, model) as agent:
        task = await agent.begin(model)
        await agent.executor.stop("another task")
        assert not model.ended.is_set()
        await agent.executor.stop(task.id)
        await asyncio.wait_for(model.ended.wait(), 5)


async def test_a_drain_lets_a_task_end(storage: Storage) -> None:
    model = Hanging()
    async with served(storage, model) as agent:
        listener = asyncio.ensure_future(agent.events(message()))
        await model.begun.wait()
        drain = asyncio.ensure_future(agent.executor.drain(60))
        model.go_on.set()
        await drain
        heard = await listener
    assert heard[-1].status.state == TaskState.TASK_STATE_COMPLETED


async def test_a_task_that_outlasts_the_drain_fails_and_says_why(storage: Storage) -> None:
    model = Hanging()
    async with served(storage, model) as agent:
        listener = asyncio.ensure_future(agent.events(message()))
        await model.begun.wait()
        await agent.executor.drain(0)
        heard = await listener
    assert model.ended.is_set()
    assert heard[-1].status.state == TaskState.TASK_STATE_FAILED
    assert get_message_text(heard[-1].status.message) == SHUTTING_DOWN
    assert reported(heard[-1])["usage"]["agent"] == "dba-agent"


async def test_a_drain_with_nothing_to_wait_for_returns(storage: Storage) -> None:
    async with served(storage, Model()) as agent:
        await agent.events(message())
        await agent.executor.drain(60)
