"""From an A2A message to a turn of the conversation, and from its outcome to the task's events."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from a2a.helpers import new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types import Part, Task, TaskState, TaskStatus
from google.protobuf.json_format import MessageToDict
from langgraph.errors import GraphRecursionError

from agents.conversations import Conversations
from agents.inbound import check_allowance, check_path, read_lineage
from agents.lineage import Lineage
from agents.messages import data_part, report, usage_metadata
from agents.outcomes import Answered, BudgetExhausted, ToolsCalled, UpstreamFailed
from agents.publisher import Publisher
from agents.run import Run
from agents.texts import INTERNAL, NO_TEXT, SHUTTING_DOWN, TOO_MANY_STEPS
from agents.turn import GraphError, Turn

log = logging.getLogger(__name__)

LAST_WORDS = 2
"""Seconds that a task gets to say that it failed, once it was stopped."""


@dataclass(frozen=True)
class _AtWork:
    run: Run
    turn: asyncio.Task[Turn]


class Executor(AgentExecutor):
    """No exception leaves `execute`, for its text would reach the client in place of a task.

    `name` is the agent's full name in a lineage, and `max_hops` how many agents may stand one above another in one.
    """

    def __init__(self, conversations: Conversations, name: str, max_hops: int) -> None:
        self._conversations = conversations
        self._name = name
        self._max_hops = max_hops
        self._executions: set[asyncio.Task[None]] = set()
        self._at_work: dict[str, _AtWork] = {}
        self._stopping = False

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        updater = _updater(context, event_queue)
        execution = asyncio.current_task()
        if execution is not None:
            self._executions.add(execution)
            execution.add_done_callback(self._executions.discard)
        try:
            await event_queue.enqueue_event(_submitted(context))
            await self._answer(context, updater)
        except Exception as error:
            # A GraphError says it all; where anything else came from, its traceback says.
            log.error("Task %s failed: %s", updater.task_id, error, exc_info=not isinstance(error, GraphError))
            # It may have ended already; then there is nothing left to say.
            with contextlib.suppress(Exception):
                await _fail(updater, TOO_MANY_STEPS if isinstance(error, GraphRecursionError) else INTERNAL)

    async def _answer(self, context: RequestContext, updater: TaskUpdater) -> None:
        lineage = _lineage(context)
        refused = check_path(lineage, self._name, self._max_hops) or check_allowance(lineage)
        text = context.get_user_input()
        if refused or not text.strip():
            await updater.reject(updater.new_agent_message([new_text_part(refused or NO_TEXT)]))
            return
        publisher = Publisher(updater)
        run = Run(self._name, updater.context_id, updater.task_id, lineage, publisher)
        await updater.start_work()
        turn = await self._take_turn(run, text)
        answered = turn is not None and isinstance(turn.outcome, Answered | ToolsCalled | None)
        await publisher.finish(turn.reply if turn and answered else None)
        _log(run, turn)
        if turn is None:
            await _fail(updater, SHUTTING_DOWN, metadata=report(run))
        else:
            await _publish(turn, run, updater)

    async def _take_turn(self, run: Run, text: str) -> Turn | None:
        """None where the shutdown could not wait for it. Raises CancelledError where the user cancelled."""
        turn = asyncio.create_task(self._conversations.say(run, text))
        self._at_work[run.task_id] = _AtWork(run, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if self._stopping:
                return None
            raise
        finally:
            self._at_work.pop(run.task_id, None)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """The SDK cancels `execute` right after this; the call to the LLM ends first, so that it cannot answer any more."""
        updater = _updater(context, event_queue)
        at_work = self._at_work.get(updater.task_id)
        if at_work is not None:
            at_work.turn.cancel()
        await updater.update_status(TaskState.TASK_STATE_CANCELED, metadata=report(at_work.run) if at_work else None)

    async def stop(self, task_id: str) -> None:
        """Ends the work on a task whose end somebody else has written."""
        at_work = self._at_work.get(task_id)
        if at_work is not None:
            at_work.turn.cancel()

    async def drain(self, seconds: float) -> None:
        """Lets running tasks end; those that have not by then fail, and say so."""
        if not self._executions:
            return
        _, late = await asyncio.wait(set(self._executions), timeout=seconds)
        if late:
            log.warning("%d tasks did not end within %g s and fail.", len(late), seconds)
            self._stopping = True
            for at_work in list(self._at_work.values()):
                at_work.turn.cancel()
            await asyncio.wait(late, timeout=LAST_WORDS)


def _updater(context: RequestContext, event_queue: EventQueue) -> TaskUpdater:
    return TaskUpdater(event_queue, str(context.task_id), str(context.context_id))


def _lineage(context: RequestContext) -> Lineage:
    call = context.call_context
    headers = call.state.get("headers", {})
    metadata = MessageToDict(context.message.metadata) if context.message else {}
    return read_lineage(call.user.user_name, headers, metadata, str(context.context_id))


def _submitted(context: RequestContext) -> Task:
    """The first event. Without a timestamp a task would be the last in every list."""
    status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
    status.timestamp.GetCurrentTime()
    history = [context.message] if context.message else []
    return Task(id=context.task_id, context_id=context.context_id, status=status, history=history)


async def _publish(turn: Turn, run: Run, updater: TaskUpdater) -> None:
    """kagent's UI shows the artifact and adds a final message to it: so the answer is in one and not in the other."""
    metadata = report(run)
    match turn.outcome:
        case Answered() | ToolsCalled() | None as answered:
            await updater.add_artifact([new_text_part(turn.reply)], name="answer", last_chunk=True)
            # The last call's usage once more, as the UI counts it: the same numbers twice in a row count once.
            metadata |= usage_metadata(answered.usage if answered else None)
            await updater.update_status(TaskState.TASK_STATE_COMPLETED, metadata=metadata)
        case BudgetExhausted(budget=budget):
            await _fail(updater, turn.reply, _budget_parts(budget), metadata)
        case UpstreamFailed(partial=partial) if partial:
            await updater.add_artifact([new_text_part(partial)], name="part of an answer", last_chunk=True)
            await _fail(updater, turn.reply, metadata=metadata)
        case _:
            await _fail(updater, turn.reply, metadata=metadata)


async def _fail(
    updater: TaskUpdater, text: str, more: list[Part] | None = None, metadata: dict[str, object] | None = None
) -> None:
    message = updater.new_agent_message([new_text_part(text), *(more or [])])
    await updater.update_status(TaskState.TASK_STATE_FAILED, message, metadata=metadata)


def _budget_parts(budget: Mapping[str, object] | None) -> list[Part]:
    """The wire's object as it came."""
    if not budget:
        return []
    part = data_part({"budget": budget})
    if part is None:
        log.warning("The gateway's budget object cannot be passed on: %.400r", budget)
        return []
    return [part]


def _log(run: Run, turn: Turn | None) -> None:
    outcome = "stopped" if turn is None else type(turn.outcome).__name__ if turn.outcome else "no outcome of its own"
    log.info("Task %s of user %r: %s, %d tokens in all.", run.task_id, run.lineage.user, outcome, run.usage.total)
