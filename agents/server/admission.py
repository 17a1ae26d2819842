"""Which messages become tasks: what is refused is told to the sender, before anything is at work."""

from a2a.server.agent_execution import RequestContext, SimpleRequestContextBuilder
from a2a.server.context import ServerCallContext
from a2a.types import SendMessageRequest, Task, TaskState
from a2a.utils.errors import InvalidParamsError, UnsupportedOperationError

from agents.storage.store import Storage

AT_WORK = frozenset({TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING})


class Admission(SimpleRequestContextBuilder):
    """The SDK takes a message to a task that is at work, and drops it without a word when that task ends.

    Here the sender is told. No task waits for its user, so that every other one has ended, and the SDK refuses those.
    """

    def __init__(self, storage: Storage) -> None:
        super().__init__()
        self._storage = storage

    async def build(
        self,
        context: ServerCallContext,
        params: SendMessageRequest | None = None,
        task_id: str | None = None,
        context_id: str | None = None,
        task: Task | None = None,
    ) -> RequestContext:
        # The SDK looks the task up only when the message is at work.
        named = await self._storage.task(task_id, context) if task_id else None
        if named and named.status.state in AT_WORK:
            raise UnsupportedOperationError(
                f"Task {named.id} is still at work. Wait for its end, then send the message with "
                f"contextId {named.context_id} and no taskId."
            )
        owner = await self._storage.owner(context_id) if context_id else None
        if owner is not None and owner != context.user.user_name:
            raise InvalidParamsError(
                f"There is no context {context_id} of this user's. Leave contextId out to begin a new one."
            )
        return await super().build(context, params, task_id, context_id, task)
