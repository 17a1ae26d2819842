"""A2A tasks in memory, bounded, and the refusal of messages to one that is at work."""

from collections import OrderedDict

from a2a.server.agent_execution import RequestContext, SimpleRequestContextBuilder
from a2a.server.context import ServerCallContext
from a2a.server.tasks import InMemoryTaskStore, TaskStore
from a2a.types import SendMessageRequest, Task, TaskState
from a2a.utils.errors import UnsupportedOperationError

MOST_TASKS = 2000

TERMINAL = frozenset(
    {
        TaskState.TASK_STATE_COMPLETED,
        TaskState.TASK_STATE_FAILED,
        TaskState.TASK_STATE_CANCELED,
        TaskState.TASK_STATE_REJECTED,
    }
)


AT_WORK = frozenset({TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING})


class BoundedTaskStore(InMemoryTaskStore):
    """Keeps `most` tasks: beyond that, the oldest that have ended go. A task that has not ended is never dropped."""

    def __init__(self, most: int = MOST_TASKS) -> None:
        super().__init__()
        self._most = most
        self._running: set[str] = set()
        self._ended: OrderedDict[str, ServerCallContext] = OrderedDict()

    async def save(self, task: Task, context: ServerCallContext) -> None:
        await super().save(task, context)
        if task.status.state not in TERMINAL:
            self._running.add(task.id)
        else:
            self._running.discard(task.id)
            self._ended[task.id] = context
        while self._ended and len(self._running) + len(self._ended) > self._most:
            oldest, owner = self._ended.popitem(last=False)
            await super().delete(oldest, owner)

    async def delete(self, task_id: str, context: ServerCallContext) -> None:
        self._running.discard(task_id)
        self._ended.pop(task_id, None)
        await super().delete(task_id, context)


class BusyTaskRefused(SimpleRequestContextBuilder):
    """The SDK takes a message to a task that is at work, and drops it without a word when that task ends.

    Here the sender is told. No task waits for its user, so that every other one has ended, and the SDK refuses those.
    """

    def __init__(self, tasks: TaskStore) -> None:
        super().__init__()
        self._tasks = tasks

    async def build(
        self,
        context: ServerCallContext,
        params: SendMessageRequest | None = None,
        task_id: str | None = None,
        context_id: str | None = None,
        task: Task | None = None,
    ) -> RequestContext:
        named = await self._tasks.get(task_id, context) if task_id else None
        if named and named.status.state in AT_WORK:
            raise UnsupportedOperationError(
                f"Task {named.id} is still at work. Wait for its end, then send the message with "
                f"contextId {named.context_id} and no taskId."
            )
        return await super().build(context, params, task_id, context_id, task)
