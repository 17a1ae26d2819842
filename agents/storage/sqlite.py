"""The default storage: a SQLite file that one agent owns."""

import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from a2a.server.cluster.event_stream import TaskEventStream
from a2a.server.cluster.task_store import VersionedTaskStore
from a2a.server.context import ServerCallContext
from a2a.server.tasks import TaskStore
from a2a.types import Task
from langgraph.checkpoint.base import BaseCheckpointSaver

from agents.storage.documents import interrupted
from agents.storage.sqlite_database import Database
from agents.storage.sqlite_file import connect, owned
from agents.storage.sqlite_saver import SqliteSaver, delete_thread
from agents.storage.sqlite_tasks import SAVE, SqliteTasks, row_of
from agents.storage.store import Limits, Saved, StrangerError
from agents.storage.turns import Turns
from agents.tasks import TERMINAL

ENDED = f"({', '.join(str(int(state)) for state in sorted(TERMINAL))})"

CLAIM = """
INSERT INTO contexts (id, owner, used) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET used = excluded.used WHERE owner = excluded.owner RETURNING id
"""


@asynccontextmanager
async def open_sqlite(path: str, limits: Limits) -> AsyncIterator["SqliteStorage"]:
    """Raises StorageError where the file cannot be used, or is another process's."""
    file = Path(path)
    with owned(file):
        database = Database(connect(file), str(file))
        try:
            storage = SqliteStorage(database, limits)
            await storage.fail_unfinished()
            await storage.forget()
            yield storage
            await storage.fail_unfinished()
            await storage.forget()
        finally:
            await database.close()


class SqliteStorage:
    """What no living process works on is failed when the file is opened: no other replica can be at work on it."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits
        self._turns = Turns()
        self._failed: list[tuple[str, Task]] = []
        self._tasks = SqliteTasks(database)
        self.tasks: TaskStore | VersionedTaskStore = self._tasks
        self.events: TaskEventStream | None = None
        self.checkpointer: BaseCheckpointSaver[Any] = SqliteSaver(database)

    @asynccontextmanager
    async def turn(self, context_id: str, user: str) -> AsyncIterator[None]:
        async with self._turns.enter(context_id) as line:
            values = (context_id, user, time.time())
            if await self._database.run(lambda connection: connection.execute(CLAIM, values).fetchone()) is None:
                raise StrangerError(f"Context {context_id} is another user's.")
            async with line.turn:
                yield

    async def task(self, task_id: str, call: ServerCallContext) -> Task | None:
        return await self._tasks.get(task_id, call)

    async def owner(self, context_id: str) -> str | None:
        found: tuple[str] | None = await self._database.run(
            lambda connection: connection.execute("SELECT owner FROM contexts WHERE id = ?", (context_id,)).fetchone()
        )
        return found[0] if found else None

    async def sweep(self, leaving: bool = False) -> Sequence[tuple[str, Task]]:
        await self._tasks.save_late()
        if leaving:
            await self.fail_unfinished()
        await self.forget()
        failed, self._failed = self._failed, []
        return failed

    def on_cancelled(self, stop: Callable[[str], Awaitable[None]]) -> None:
        """There is no other replica that could cancel a task."""

    def on_saved(self, saved: Saved) -> None:
        self._tasks.saved = saved

    async def fail_unfinished(self) -> None:
        """Fails whatever has not ended; the next sweep tells of it."""
        failed = await self._database.run(_fail_unfinished)
        self._failed.extend(failed)

    async def forget(self) -> None:
        limits, at_work, now = self._limits, set(self._turns.at_work), time.time()
        await self._database.run(lambda connection: _forget(connection, limits, at_work, now))


def _fail_unfinished(connection: sqlite3.Connection) -> list[tuple[str, Task]]:
    rows = connection.execute(f"SELECT owner, document FROM tasks WHERE state NOT IN {ENDED}").fetchall()  # noqa: S608
    failed = [(owner, Task.FromString(document)) for owner, document in rows]
    for owner, task in failed:
        interrupted(task)
        connection.execute(SAVE, row_of(task, owner))
    return failed


def _forget(connection: sqlite3.Connection, limits: Limits, at_work: set[str], now: float) -> None:
    oldest = now - limits.seconds
    connection.execute(f"DELETE FROM tasks WHERE state IN {ENDED} AND updated_at < ?", (int(oldest * 1e9),))  # noqa: S608
    (tasks,) = connection.execute("SELECT count(*) FROM tasks").fetchone()
    if tasks > limits.tasks:
        connection.execute(
            f"DELETE FROM tasks WHERE rowid IN (SELECT rowid FROM tasks WHERE state IN {ENDED} "  # noqa: S608
            "ORDER BY updated_at, id LIMIT ?)",
            (tasks - limits.tasks,),
        )
    contexts = connection.execute("SELECT id, used FROM contexts ORDER BY used").fetchall()
    beyond = len(contexts) - limits.contexts
    gone = [context for index, (context, used) in enumerate(contexts) if index < beyond or used < oldest]
    for context in gone:
        if context not in at_work:
            connection.execute("DELETE FROM contexts WHERE id = ?", (context,))
            delete_thread(connection, context)
