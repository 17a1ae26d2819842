"""From an A2A message to a turn of the conversation, and from its outcome to the task's events."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping

from a2a.helpers import new_data_part, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types import Part, Task, TaskState, TaskStatus
from google.protobuf.json_format import MessageToDict

from agents.memory import Conversations
from agents.outcomes import Answered, BudgetExhausted, Usage
from agents.texts import INTERNAL, NO_TEXT, SHUTTING_DOWN
from agents.turn import GraphError, Turn

log = logging.getLogger(__name__)

LAST_WORDS = 2
"""Seconds that a task gets to say that it failed, once it was stopped."""


class Executor(AgentExecutor):
    """No exception leaves `execute`, for its text would reach the client in place of a task."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations
        self._executions: set[asyncio.Task[None]] = set()
        self._turns: dict[str, asyncio.Task[Turn]] = {}
        self._out_of_time = False

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        updater = _updater(context, event_queue)
        execution = asyncio.current_task()
        if execution is not None:
            self._executions.add(execution)
            execution.add_done_callback(self._executions.discard)
        try:
            await event_queue.enqueue_event(_submitted(context))
            await self._answer(context.get_user_input(), updater)
        except Exception as error:
            # A GraphError says it all; where anything else came from, its traceback says.
            log.error("Task %s failed: %s", updater.task_id, error, exc_info=not isinstance(error, GraphError))
            # It may have ended already; then there is nothing left to say.
            with contextlib.suppress(Exception):
                await _fail(updater, INTERNAL)

    async def _answer(self, text: str, updater: TaskUpdater) -> None:
        if not text.strip():
            await updater.reject(updater.new_agent_message([new_text_part(NO_TEXT)]))
            return
        await updater.start_work()
        turn = await self._take_turn(text, updater)
        if turn is None:
            await _fail(updater, SHUTTING_DOWN)
            return
        log.info("Task %s: %s.", updater.task_id, type(turn.outcome).__name__ if turn.outcome else "no outcome of its own")
        await _publish(turn, updater)

    async def _take_turn(self, text: str, updater: TaskUpdater) -> Turn | None:
        """None where the shutdown could not wait for it. Raises CancelledError where the user cancelled."""
        turn = asyncio.create_task(self._conversations.say(updater.context_id, text))
        self._turns[updater.task_id] = turn
        try:
            return await turn
        except asyncio.CancelledError:
            if self._out_of_time:
                return None
            raise
        finally:
            self._turns.pop(updater.task_id, None)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """The SDK cancels `execute` right after this; the call to the LLM ends first, so that it cannot answer any more."""
        updater = _updater(context, event_queue)
        turn = self._turns.get(updater.task_id)
        if turn is not None:
            turn.cancel()
        await updater.cancel()

    async def drain(self, seconds: float) -> None:
        """Lets running tasks end; those that have not by then fail, and say so."""
        if not self._executions:
            return
        _, late = await asyncio.wait(set(self._executions), timeout=seconds)
        if late:
            log.warning("%d tasks did not end within %g s and fail.", len(late), seconds)
            self._out_of_time = True
            for turn in self._turns.values():
                turn.cancel()
            await asyncio.wait(late, timeout=LAST_WORDS)


def _updater(context: RequestContext, event_queue: EventQueue) -> TaskUpdater:
    return TaskUpdater(event_queue, str(context.task_id), str(context.context_id))


def _submitted(context: RequestContext) -> Task:
    """The first event. Without a timestamp a task would be the last in every list."""
    status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
    status.timestamp.GetCurrentTime()
    history = [context.message] if context.message else []
    return Task(id=context.task_id, context_id=context.context_id, status=status, history=history)


async def _publish(turn: Turn, updater: TaskUpdater) -> None:
    """kagent's UI shows the artifact and adds a final message to it: so the answer is in one and not in the other."""
    match turn.outcome:
        case Answered() | None as answered:
            await updater.add_artifact([new_text_part(turn.reply)], name="answer", last_chunk=True)
            metadata = _usage_metadata(answered.usage if answered else None)
            await updater.update_status(TaskState.TASK_STATE_COMPLETED, metadata=metadata)
        case BudgetExhausted(_, budget):
            await _fail(updater, turn.reply, _budget_parts(budget))
        case _:
            await _fail(updater, turn.reply)


async def _fail(updater: TaskUpdater, text: str, more: list[Part] | None = None) -> None:
    await updater.failed(updater.new_agent_message([new_text_part(text), *(more or [])]))


def _budget_parts(budget: Mapping[str, object] | None) -> list[Part]:
    """The wire's object as it came; none where protobuf's JSON cannot hold it (an infinite number, a nesting without end)."""
    if not budget:
        return []
    try:
        part = new_data_part({"budget": budget}, media_type="application/json")
        MessageToDict(part)
    except Exception:
        log.warning("The gateway's budget object cannot be passed on: %.400r", budget)
        return []
    return [part]


def _usage_metadata(usage: Usage | None) -> dict[str, object] | None:
    """The key and the three names are kagent's."""
    if usage is None:
        return None
    return {
        "kagent_usage_metadata": {
            "promptTokenCount": usage.prompt,
            "candidatesTokenCount": usage.completion,
            "totalTokenCount": usage.total,
        }
    }
