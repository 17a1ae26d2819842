"""From an A2A message to a turn of the conversation, and from its outcome to the task's events."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from a2a.helpers import new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types import Part, Task, TaskState, TaskStatus
from google.protobuf.json_format import MessageToDict
from langgraph.errors import GraphRecursionError

from agents.conversations import Conversations
from agents.lineage import Lineage
from agents.outcomes import Answered, BudgetExhausted
from agents.run import Run
from agents.server.inbound import check_allowance, check_path, read_lineage
from agents.server.messages import data_part, report, usage_metadata
from agents.server.publisher import Publisher
from agents.tasks import has_ended
from agents.texts import INTERNAL, NO_TEXT, NOT_BEGUN, SHUTTING_DOWN, TOO_MANY_STEPS
from agents.turn import GraphError, Turn

log = logging.getLogger(__name__)

LAST_WORDS = 2
"""Seconds that a task gets to say that it failed, once it was stopped."""


@dataclass
class _AtWork:
    """`stopped` where the shutdown has ended it, and not its user."""

    run: Run
    turn: asyncio.Task[Turn]
    stopped: bool = False


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
        self._not_told: set[str] = set()
        self._told = asyncio.Event()
        self._draining = False

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        updater = _updater(context, event_queue)
        execution = asyncio.current_task()
        if execution is not None:
            self._executions.add(execution)
            execution.add_done_callback(self._executions.discard)
        self._not_told.add(updater.task_id)
        publisher = Publisher(updater)
        run = Run(self._name, updater.context_id, updater.task_id, listener=publisher)
        try:
            run.lineage = _lineage(context)
            await event_queue.enqueue_event(_submitted(context))
            await self._answer(run, context.get_user_input(), publisher, updater)
        except Exception as error:
            # A GraphError says it all; where anything else came from, its traceback says.
            log.error("Task %s failed: %s", updater.task_id, error, exc_info=not isinstance(error, GraphError))
            # It may have ended already; then there is nothing left to say.
            with contextlib.suppress(Exception):
                await publisher.finish(None)
            with contextlib.suppress(Exception):
                await _fail(run, updater, TOO_MANY_STEPS if isinstance(error, GraphRecursionError) else INTERNAL)
        except asyncio.CancelledError:
            # Whoever cancelled it keeps its end.
            self._not_told.discard(updater.task_id)
            raise
        finally:
            publisher.close()

    async def _answer(self, run: Run, text: str, publisher: Publisher, updater: TaskUpdater) -> None:
        refused = check_path(run.lineage, self._name, self._max_hops) or check_allowance(run.lineage)
        if refused or not text.strip():
            message = updater.new_agent_message([new_text_part(refused or NO_TEXT)])
            await updater.update_status(TaskState.TASK_STATE_REJECTED, message, metadata=report(run))
            return
        await updater.start_work()
        turn = await self._take_turn(run, text)
        answered = turn is not None and isinstance(turn.outcome, Answered | None)
        await publisher.finish(turn.reply if turn and answered else None)
        _log(run, turn)
        if turn is None:
            await _fail(run, updater, SHUTTING_DOWN if run.begun else NOT_BEGUN)
        else:
            await _publish(turn, run, updater)

    async def _take_turn(self, run: Run, text: str) -> Turn | None:
        """None where the shutdown could not wait for it. Raises CancelledError where the user cancelled."""
        if self._draining:
            return None
        at_work = _AtWork(run, asyncio.create_task(self._conversations.say(run, text)))
        self._at_work[run.task_id] = at_work
        try:
            return await at_work.turn
        except asyncio.CancelledError:
            if at_work.stopped:
                return None
            raise
        finally:
            self._at_work.pop(run.task_id, None)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """The SDK cancels `execute` right after this; the turn is cancelled first, so that it cannot answer any more."""
        updater = _updater(context, event_queue)
        at_work = self._at_work.get(updater.task_id)
        if at_work is not None:
            at_work.turn.cancel()
        await updater.update_status(TaskState.TASK_STATE_CANCELED, metadata=report(at_work.run) if at_work else None)

    def saved(self, task: Task) -> None:
        """To be called with each version of a task that was kept."""
        if has_ended(task):
            self._not_told.discard(task.id)
            self._told.set()

    async def stop(self, task_id: str) -> None:
        """Ends the work on a task whose end somebody else has written."""
        at_work = self._at_work.get(task_id)
        if at_work is not None:
            at_work.turn.cancel()

    async def drain(self, seconds: float) -> None:
        """Lets running tasks end; those that have not by then fail, and say so. Returns once that is kept, too.

        What waits for its budget, and what comes from now on, fails at once.
        """
        self._draining = True
        self._end([at_work for at_work in self._at_work.values() if at_work.run.waiting])
        if self._executions:
            _, late = await asyncio.wait(set(self._executions), timeout=seconds)
            if late:
                log.warning("%d tasks did not end within %g s and fail.", len(late), seconds)
                self._end(list(self._at_work.values()))
                await asyncio.wait(late, timeout=LAST_WORDS)
        # The SDK keeps and tells what a task said after its execution is over, and drops what it has not when it is closed.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_told(), LAST_WORDS)

    def _end(self, at_work: Sequence[_AtWork]) -> None:
        for each in at_work:
            each.stopped = True
            each.turn.cancel()

    async def _all_told(self) -> None:
        while self._not_told:
            self._told.clear()
            await self._told.wait()


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
    if run.partial:
        await updater.add_artifact([new_text_part(run.partial)], name="part of an answer", last_chunk=True)
    match turn.outcome:
        case Answered() | None as answered:
            await updater.add_artifact([new_text_part(turn.reply)], name="answer", last_chunk=True)
            # The last call's usage once more, as the UI counts it: the same numbers twice in a row count once.
            metadata = report(run) | usage_metadata(answered.usage if answered else None)
            await updater.update_status(TaskState.TASK_STATE_COMPLETED, metadata=metadata)
        case BudgetExhausted(budget=budget):
            await _fail(run, updater, turn.reply, _budget_parts(budget))
        case _:
            await _fail(run, updater, turn.reply)


async def _fail(run: Run, updater: TaskUpdater, text: str, more: Sequence[Part] = ()) -> None:
    message = updater.new_agent_message([new_text_part(text), *more])
    await updater.update_status(TaskState.TASK_STATE_FAILED, message, metadata=report(run))


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
