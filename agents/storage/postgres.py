"""A Postgres that several replicas of one agent share. Another agent needs a database, or a schema, of its own."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

from a2a.server.cluster.database_event_stream import DatabaseTaskEventStream
from a2a.server.cluster.event_stream import TaskEventStream
from a2a.server.cluster.task_store import VersionedTaskStore
from a2a.server.context import ServerCallContext
from a2a.server.tasks import TaskStore
from a2a.types import Task
from langgraph.checkpoint.base import BaseCheckpointSaver
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.storage.postgres_connections import WIDEN, Pool, alone, engine_on, failures_told, pool_on
from agents.storage.postgres_contexts import Contexts
from agents.storage.postgres_forget import forget
from agents.storage.postgres_replica import Replica
from agents.storage.postgres_saver import PostgresSaver
from agents.storage.postgres_tasks import PostgresTasks
from agents.storage.store import Limits, Saved, StorageError

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_postgres(url: str, name: str, limits: Limits) -> AsyncIterator["PostgresStorage"]:
    """`name` is the URL as it may be logged. Raises StorageError where Postgres is away or refuses."""
    async with AsyncExitStack() as open_now:
        with failures_told(name):
            pool = await open_now.enter_async_context(pool_on(url))
            engine = await open_now.enter_async_context(engine_on(url))
            storage = PostgresStorage(pool, engine, name, limits)
            async with alone(url) as connection:
                await storage.make_tables()
                await connection.execute(WIDEN)
        await storage.begin()
        try:
            yield storage
        finally:
            await storage.end()


class PostgresStorage:
    def __init__(self, pool: Pool, engine: AsyncEngine, name: str, limits: Limits) -> None:
        self._pool = pool
        self._name = name
        self._limits = limits
        self._failed: list[tuple[str, Task]] = []
        replica = f"{socket.gethostname()}-{uuid4().hex[:12]}"
        self._saver = PostgresSaver(pool, name)
        self._tasks = PostgresTasks(engine, pool, name, replica)
        self._events = DatabaseTaskEventStream(engine)
        self._contexts = Contexts(pool, name, replica, self._saver)
        self._replica = Replica(pool, name, replica, self._tasks.at_work, self._contexts.at_work)
        self._living: asyncio.Task[None] | None = None
        self.tasks: TaskStore | VersionedTaskStore = self._tasks
        self.events: TaskEventStream | None = self._events
        self.checkpointer: BaseCheckpointSaver[Any] = self._saver

    def turn(self, context_id: str, user: str) -> AbstractAsyncContextManager[None]:
        return self._contexts.turn(context_id, user)

    async def task(self, task_id: str, call: ServerCallContext) -> Task | None:
        stored = await self._tasks.get(task_id, call)
        return stored.task if stored else None

    async def owner(self, context_id: str) -> str | None:
        return await self._contexts.owner(context_id)

    async def sweep(self, leaving: bool = False) -> Sequence[tuple[str, Task]]:
        await self._tasks.save_late()
        await self._sweep(leaving)
        failed, self._failed = self._failed, []
        return failed

    def on_cancelled(self, stop: Callable[[str], Awaitable[None]]) -> None:
        self._replica.stop = stop

    def on_saved(self, saved: Saved) -> None:
        self._tasks.saved = saved

    async def make_tables(self) -> None:
        await self._tasks.initialize()
        await self._events.initialize()
        await self._saver.setup()

    async def begin(self) -> None:
        await self._replica.beat()
        self._living = asyncio.create_task(self._replica.live(), name="replica")
        await self._sweep()

    async def end(self) -> None:
        """Hands over what is left. Where Postgres is away, the others find out by themselves."""
        if self._living is not None:
            self._living.cancel()
            with suppress(asyncio.CancelledError):
                await self._living
        with suppress(StorageError):
            await self._sweep(leaving=True)
            await self._replica.leave()

    async def _sweep(self, leaving: bool = False) -> None:
        """Keeps what it failed for the next `sweep` to tell."""
        failed = await self._tasks.fail_orphans(leaving)
        self._failed.extend(failed)
        with failures_told(self._name):
            await forget(self._pool, self._limits)
