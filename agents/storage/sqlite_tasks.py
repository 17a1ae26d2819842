"""A2A tasks in SQLite, each as the bytes of its protobuf document, and listed as the SDK lists those in memory."""

import sqlite3

from a2a.server.context import ServerCallContext
from a2a.server.owner_resolver import resolve_user_scope
from a2a.server.tasks import TaskStore
from a2a.types import ListTasksRequest, ListTasksResponse, Task
from a2a.utils.constants import DEFAULT_LIST_TASKS_PAGE_SIZE
from a2a.utils.errors import InvalidParamsError
from a2a.utils.task import ListTasksCursor, decode_list_tasks_cursor, decode_page_token, encode_list_tasks_cursor

from agents.storage.documents import Deltas, document_of
from agents.storage.sqlite_database import Database
from agents.storage.store import Saved, nobody
from agents.tasks import has_ended

SAVE = """
INSERT INTO tasks (owner, id, context_id, state, updated_at, document) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (owner, id) DO UPDATE SET
    context_id = excluded.context_id, state = excluded.state, updated_at = excluded.updated_at, document = excluded.document
"""

LATEST = 2**63 - 1
"""The largest number that SQLite holds, in nanoseconds: the year 2262."""


class SqliteTasks(TaskStore):
    """`save` of a task that has ended returns once it is on disk, with all that was saved before.

    What comes before the end need not be waited for: it is kept in order, and whoever reads, reads after it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._deltas = Deltas()
        self._ends: dict[str, tuple[Task, ServerCallContext]] = {}
        self.saved: Saved = nobody

    async def save(self, task: Task, context: ServerCallContext) -> None:
        document = document_of(task)
        if self._deltas.nothing_else(task, document):
            return
        row = row_of(document, resolve_user_scope(context))

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(SAVE, row)

        if has_ended(document):
            self._ends[document.id] = (document, context)
            await self._database.run(write)
            self._ends.pop(document.id, None)
        else:
            self._database.post(write)
        self._deltas.written(document)
        self.saved(document, context)

    async def save_late(self) -> None:
        """Keeps the ends that could not be kept before: the SDK saves each but once. Raises StorageError."""
        for document, context in list(self._ends.values()):
            await self.save(document, context)

    async def get(self, task_id: str, context: ServerCallContext) -> Task | None:
        key = (resolve_user_scope(context), task_id)
        found: tuple[bytes] | None = await self._database.run(
            lambda connection: connection.execute("SELECT document FROM tasks WHERE owner = ? AND id = ?", key).fetchone()
        )
        return Task.FromString(found[0]) if found else None

    async def list(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        owner = resolve_user_scope(context)
        return await self._database.run(lambda connection: _list(connection, params, owner))

    async def delete(self, task_id: str, context: ServerCallContext) -> None:
        key = (resolve_user_scope(context), task_id)
        await self._database.run(
            lambda connection: connection.execute("DELETE FROM tasks WHERE owner = ? AND id = ?", key).close()
        )
        self._deltas.forget(task_id)


def row_of(document: Task, owner: str) -> tuple[str, str, str, int, int | None, bytes]:
    """What SAVE is given."""
    status = document.status
    updated_at = status.timestamp.ToNanoseconds() if status.HasField("timestamp") else None
    return owner, document.id, document.context_id, status.state, updated_at, document.SerializeToString()


def _list(connection: sqlite3.Connection, params: ListTasksRequest, owner: str) -> ListTasksResponse:
    where = "owner = ?"
    values: list[str | int] = [owner]
    if params.context_id:
        where, values = f"{where} AND context_id = ?", [*values, params.context_id]
    if params.status:
        where, values = f"{where} AND state = ?", [*values, params.status]
    if params.HasField("status_timestamp_after"):
        where, values = f"{where} AND updated_at >= ?", [*values, min(params.status_timestamp_after.ToNanoseconds(), LATEST)]
    (total,) = connection.execute(f"SELECT count(*) FROM tasks WHERE {where}", values).fetchone()  # noqa: S608 - only ? above
    if params.page_token:
        after, more = _after(connection, params.page_token, where, values)
        where, values = f"{where} AND ({after})", [*values, *more]
    size = params.page_size or DEFAULT_LIST_TASKS_PAGE_SIZE
    # NULL counts as less than any number, so that tasks without a time come last, as in the SDK.
    rows = connection.execute(
        f"SELECT updated_at, id, document FROM tasks WHERE {where} ORDER BY updated_at DESC, id DESC LIMIT ?",  # noqa: S608
        [*values, size + 1],
    ).fetchall()
    page = rows[:size]
    return ListTasksResponse(
        tasks=[Task.FromString(document) for _, _, document in page],
        total_size=total,
        page_size=size,
        next_page_token=encode_list_tasks_cursor(ListTasksCursor(page[-1][0], page[-1][1])) if len(rows) > size else None,
    )


def _after(
    connection: sqlite3.Connection, token: str, where: str, values: list[str | int]
) -> tuple[str, tuple[int | str, ...]]:
    """The condition for what comes after the task that the token names. Raises InvalidParamsError where it names none."""
    cursor = decode_list_tasks_cursor(token)
    if cursor is None:
        return _from(connection, token, where, values)
    if cursor.timestamp_ns is None:
        return "updated_at IS NULL AND id < ?", (cursor.task_id,)
    if abs(cursor.timestamp_ns) > LATEST:
        raise InvalidParamsError(f"Invalid page token: {token}")
    at = cursor.timestamp_ns
    return "updated_at < ? OR (updated_at = ? AND id < ?) OR updated_at IS NULL", (at, at, cursor.task_id)


def _from(connection: sqlite3.Connection, token: str, where: str, values: list[str | int]) -> tuple[str, tuple[int | str, ...]]:
    """A token as the SDK wrote it before 1.2: the id of the first task of the page."""
    first = decode_page_token(token)
    found = connection.execute(f"SELECT updated_at FROM tasks WHERE {where} AND id = ?", [*values, first]).fetchone()  # noqa: S608
    if found is None:
        raise InvalidParamsError(f"Invalid page token: {token}")
    (at,) = found
    if at is None:
        return "updated_at IS NULL AND id <= ?", (first,)
    return "updated_at < ? OR (updated_at = ? AND id <= ?) OR updated_at IS NULL", (at, at, first)
