"""The SDK's store for replicas, which writes no deltas and knows which replica works on a task."""

from collections.abc import Sequence
from contextlib import suppress

from a2a.server.cluster.database_task_store import VersionedDatabaseTaskStore
from a2a.server.cluster.task_store import ConcurrentTaskModificationError, StoredTask
from a2a.server.cluster.version import TaskVersion
from a2a.server.context import ServerCallContext
from a2a.server.events.event_queue import Event
from a2a.server.owner_resolver import resolve_user_scope
from a2a.types import ListTasksRequest, ListTasksResponse, Task, TaskStatusUpdateEvent
from a2a.utils.errors import InvalidParamsError
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.server.callers import NamedUser
from agents.storage.documents import Deltas, document_of, interrupted
from agents.storage.postgres_connections import Pool, failures_told
from agents.storage.postgres_forget import ENDED_STATES
from agents.storage.postgres_replica import LIVING
from agents.storage.store import Saved, nobody
from agents.tasks import has_ended, is_partial

TAKE = """
INSERT INTO agent_work (task_id, owner, replica) VALUES (%s, %s, %s)
ON CONFLICT (task_id, owner) DO UPDATE SET replica = excluded.replica
"""

ORPHANS = f"""
SELECT t.id, t.owner FROM tasks t LEFT JOIN agent_work w ON w.task_id = t.id AND w.owner = t.owner
WHERE t.status->>'state' NOT IN
    {ENDED_STATES}
AND (w.replica IS NULL OR w.replica NOT IN {LIVING} OR (%(leaving)s AND w.replica = %(replica)s))
"""  # noqa: S608 - LIVING is a constant


class PostgresTasks(VersionedDatabaseTaskStore):
    """Raises StorageError where Postgres fails. `at_work` are this replica's unfinished tasks, with their owners."""

    def __init__(self, engine: AsyncEngine, pool: Pool, name: str, replica: str) -> None:
        super().__init__(engine)
        self._pool = pool
        self._name = name
        self._replica = replica
        self._deltas = Deltas()
        self.at_work: dict[str, str] = {}
        self._ends: dict[str, tuple[Task, ServerCallContext]] = {}
        self.saved: Saved = nobody

    async def save(
        self,
        task: Task,
        *,
        event: Event | None = None,
        prev: Task | None = None,
        prev_version: TaskVersion,
        context: ServerCallContext,
    ) -> TaskVersion:
        document = document_of(task)
        if self._deltas.nothing_else(task, document):
            return prev_version
        if has_ended(document):
            self._ends[document.id] = (document, context)
        version = await self._store(document, _without_delta(event), prev, prev_version, context)
        self._ends.pop(document.id, None)
        self.saved(document, context)
        return version

    async def save_late(self) -> None:
        """Keeps the ends that could not be kept before: the SDK saves each but once. Raises StorageError."""
        for task_id, (document, context) in list(self._ends.items()):
            stored = await self.get(task_id, context)
            if stored is not None and not has_ended(stored.task):
                with suppress(ConcurrentTaskModificationError):
                    await self._store(document, None, None, stored.version, context)
                    self.saved(document, context)
            self._ends.pop(task_id, None)

    async def _store(
        self, document: Task, event: Event | None, prev: Task | None, prev_version: TaskVersion, context: ServerCallContext
    ) -> TaskVersion:
        with failures_told(self._name):
            ended = has_ended(document)
            if not ended and document.id not in self.at_work:
                await self._take(document.id, resolve_user_scope(context))
            try:
                version = await super().save(document, event=event, prev=prev, prev_version=prev_version, context=context)
            except ConcurrentTaskModificationError:
                self._ends.pop(document.id, None)
                # Another replica has ended it, or this one takes it again with the next save.
                self.at_work.pop(document.id, None)
                self._deltas.forget(document.id)
                raise
            self._deltas.written(document)
            if ended:
                await self._leave(document.id, resolve_user_scope(context))
        return version

    async def get(self, task_id: str, context: ServerCallContext) -> StoredTask | None:
        with failures_told(self._name):
            return await super().get(task_id, context)

    async def list(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        with failures_told(self._name):
            try:
                return await super().list(params, context)
            except ValueError as error:
                # The SDK lets a page token's time be any number.
                raise InvalidParamsError(f"Invalid page token: {params.page_token}") from error

    async def fail_orphans(self, leaving: bool = False) -> Sequence[tuple[str, Task]]:
        """Fails what no living replica works on, and tells those who listen; where this one is `leaving`, its own, too."""
        with failures_told(self._name):
            async with self._pool.connection() as connection:
                cursor = await connection.execute(ORPHANS, {"leaving": leaving, "replica": self._replica})
                orphans = [(row["id"], row["owner"]) for row in await cursor.fetchall()]
        failed = [(owner, await self._fail(task_id, owner)) for task_id, owner in orphans]
        return [(owner, task) for owner, task in failed if task is not None]

    async def _fail(self, task_id: str, owner: str) -> Task | None:
        """None where somebody else came first."""
        context = ServerCallContext(user=NamedUser(owner))
        stored = await self.get(task_id, context)
        if stored is None or has_ended(stored.task):
            return None
        task = stored.task
        event = TaskStatusUpdateEvent(task_id=task.id, context_id=task.context_id, status=interrupted(task))
        try:
            await self._store(task, event, None, stored.version, context)
        except ConcurrentTaskModificationError:
            return None
        return task

    async def _take(self, task_id: str, owner: str) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(TAKE, (task_id, owner, self._replica))
        self.at_work[task_id] = owner

    async def _leave(self, task_id: str, owner: str) -> None:
        self.at_work.pop(task_id, None)
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM agent_work WHERE task_id = %s AND owner = %s", (task_id, owner))


def _without_delta(event: Event | None) -> Event | None:
    """Other replicas' listeners are told that the task works, and not one delta out of many."""
    if not isinstance(event, TaskStatusUpdateEvent) or not is_partial(event.status.message):
        return event
    told = TaskStatusUpdateEvent()
    told.CopyFrom(event)
    told.status.ClearField("message")
    return told
