"""What an agent keeps, whatever it is kept in."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from a2a.server.cluster.event_stream import TaskEventStream
from a2a.server.cluster.task_store import VersionedTaskStore
from a2a.server.context import ServerCallContext
from a2a.server.tasks import TaskStore
from a2a.types import Task
from langgraph.checkpoint.base import BaseCheckpointSaver


class StorageError(Exception):
    """The storage cannot be used; the text is one sentence that names it and the remedy."""


class StrangerError(Exception):
    """The context is another user's."""


Saved: TypeAlias = Callable[[Task, ServerCallContext], None]


def nobody(_: Task, __: ServerCallContext) -> None:
    """Nobody wants to know what was saved."""


@dataclass(frozen=True)
class Limits:
    """What is kept at most: tasks, contexts (with their conversations), and seconds since either was last used."""

    tasks: int
    contexts: int
    seconds: float


class Storage(Protocol):
    """Opened by `agents.storage.open.open_storage`, which also closes it.

    `checkpointer` keeps the last checkpoint of a thread and no earlier one, and never the channels of one turn
    (`agents.storage.channels.OF_ONE_TURN`). `tasks` keeps no partial messages, takes them out of the task that it is
    handed, and writes nothing for an event that changes nothing else.
    """

    tasks: TaskStore | VersionedTaskStore
    events: TaskEventStream | None
    checkpointer: BaseCheckpointSaver[Any]

    def turn(self, context_id: str, user: str) -> AbstractAsyncContextManager[None]:
        """One turn at a time in a context, in this replica and in all others: the next one waits.

        Raises StrangerError where the context is another user's. The first turn makes the context this user's.
        """
        ...

    async def task(self, task_id: str, call: ServerCallContext) -> Task | None:
        """The caller's task, whichever replica works on it."""
        ...

    async def owner(self, context_id: str) -> str | None:
        """Whose context it is; None where it is nobody's yet."""
        ...

    async def sweep(self, leaving: bool = False) -> Sequence[tuple[str, Task]]:
        """Fails what a replica that is no more has left unfinished, and forgets what is beyond the limits.

        Keeps what could not be kept when it ended. Where this replica is `leaving`, fails what it has left itself. Returns
        the tasks that it has failed, each with its owner. Called at start, from time to time, and at shutdown.
        """
        ...

    def on_saved(self, saved: Saved) -> None:
        """`saved` is called with each version of a task that was kept, and with the call that it came of."""
        ...

    def on_cancelled(self, stop: Callable[[str], Awaitable[None]]) -> None:
        """`stop` is awaited with the id of a task at work here that was cancelled in another replica."""
        ...
