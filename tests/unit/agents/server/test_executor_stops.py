"""Cancelling and shutting down: what runs is ended, and says so."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest
from a2a.helpers import get_message_text, new_text_part
from a2a.server.agent_execution import RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types import CancelTaskRequest, ListTasksRequest, SendMessageRequest, Task, TaskState

from agents.progress import Note
from agents.run import current_run
from agents.server import executor as executor_module
from agents.server.publisher import Publisher
from agents.storage.store import Storage, nobody
from agents.tasks import has_ended
from agents.texts import NOT_BEGUN, SHUTTING_DOWN
from tests.unit.agents.doubles import SPENT, Hanging, Model
from tests.unit.agents.own_graphs import one_node
from tests.unit.agents.serving_agent import CALL, Heard, at_the_executor, message, reported, served
from tests.waiting import until

pytestmark = pytest.mark.anyio

SPENT_FOR_AN_HOUR = replace(SPENT, resets_at=None, resets_in=3600)


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


async def test_nothing_is_told_of_a_task_after_it_was_cancelled(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    publishers: list[Publisher] = []

    class Kept(Publisher):
        def __init__(self, updater: TaskUpdater) -> None:
            super().__init__(updater)
            publishers.append(self)

    async def node(_: object) -> None:
        current_run().tell(Note("too late"))
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(executor_module, "Publisher", Kept)
    begun = asyncio.Event()
    async with served(storage, graph=one_node(node)) as agent:
        execution = asyncio.create_task(agent.executor.execute(at_the_executor(message()), cast(EventQueue, Heard())))
        await begun.wait()
        execution.cancel()
        await asyncio.wait([execution])
    (publisher,) = publishers
    assert publisher._timer is not None and publisher._timer.cancelled()


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


async def test_a_message_that_had_not_begun_at_the_shutdown_is_to_be_sent_again(storage: Storage) -> None:
    model = Hanging()
    async with served(storage, model) as agent:
        first = asyncio.ensure_future(agent.events(message(context_id="c")))
        await model.begun.wait()
        second = asyncio.ensure_future(agent.events(message(context_id="c")))
        await until(lambda: len(agent.executor._at_work) == 2, "the second message")
        await agent.executor.drain(0)
        heard = [(await each)[-1] for each in (first, second)]
    assert [get_message_text(each.status.message) for each in heard] == [SHUTTING_DOWN, NOT_BEGUN]
    after = Model()
    async with served(storage, after) as agent:
        await agent.events(message(new_text_part("continue"), context_id="c"))
    assert after.conversations[0][1:] == [("human", "hi"), ("human", "continue")]


async def test_what_comes_during_a_drain_fails_at_once_and_costs_nothing(storage: Storage) -> None:
    model, other = Hanging(), Model()
    async with served(storage, model) as agent:
        listener = asyncio.ensure_future(agent.events(message()))
        await model.begun.wait()
        drain = asyncio.ensure_future(agent.executor.drain(60))
        await asyncio.sleep(0)
        heard = await agent.events(message(new_text_part("late"), context_id="late"))
        assert not drain.done()
        model.go_on.set()
        await asyncio.gather(drain, listener)
    assert heard[-1].status.state == TaskState.TASK_STATE_FAILED
    assert get_message_text(heard[-1].status.message) == NOT_BEGUN
    async with served(storage, other) as agent:
        await agent.events(message(context_id="late"))
    assert other.conversations == [[("system", "Be brief."), ("human", "hi")]]


async def test_a_drain_ends_at_once_what_waits_for_its_budget(storage: Storage) -> None:
    async with served(storage, Model(SPENT_FOR_AN_HOUR), longest_wait=4000) as agent:
        listener = asyncio.ensure_future(agent.events(message()))
        await until(lambda: any(each.run.waiting for each in agent.executor._at_work.values()), "the wait")
        await asyncio.wait_for(agent.executor.drain(3600), 10)
        heard = await listener
    assert heard[-1].status.state == TaskState.TASK_STATE_FAILED
    assert get_message_text(heard[-1].status.message) == SHUTTING_DOWN


async def test_a_drain_returns_once_the_ends_are_kept(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK saves what a task said last after its execution is over."""
    model, save, keep, asked = Hanging(), storage.tasks.save, asyncio.Event(), asyncio.Event()

    async def slow_save(task: Task, context: Any) -> None:
        if has_ended(task):
            asked.set()
            await keep.wait()
        await save(task, context)  # type: ignore[call-arg]

    monkeypatch.setattr(storage.tasks, "save", slow_save)
    async with served(storage, model) as agent:
        listener = asyncio.ensure_future(agent.events(message()))
        await model.begun.wait()
        model.go_on.set()
        drain = asyncio.ensure_future(agent.executor.drain(60))
        await asked.wait()
        await until(lambda: not agent.executor._executions, "the end of the execution")
        assert not drain.done()
        keep.set()
        await drain
        (task,) = (await storage.tasks.list(ListTasksRequest(), CALL)).tasks
        assert task.status.state == TaskState.TASK_STATE_COMPLETED
        await listener


async def test_a_drain_does_not_wait_for_ever_for_an_end_that_cannot_be_kept(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_module, "LAST_WORDS", 0.01)
    async with served(storage, Model()) as agent:
        storage.on_saved(nobody)
        await agent.events(message())
        await asyncio.wait_for(agent.executor.drain(60), 10)


async def test_a_drain_does_not_wait_for_the_end_of_a_task_that_somebody_else_has_ended(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_module, "LAST_WORDS", 3600)
    model = Hanging()
    async with served(storage, model) as agent:
        storage.on_saved(nobody)
        task = await agent.begin(model)
        await agent.handler.on_cancel_task(CancelTaskRequest(id=task.id), CALL)
        await until(lambda: not agent.executor._executions, "the end of the execution")
        await asyncio.wait_for(agent.executor.drain(60), 10)


async def test_a_drain_with_nothing_to_wait_for_returns(storage: Storage) -> None:
    async with served(storage, Model()) as agent:
        await agent.events(message())
        await agent.executor.drain(60)
