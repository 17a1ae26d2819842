"""LangGraph's checkpoints in SQLite: of a thread the last one, and what its tasks have written since."""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, NoReturn

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
)

from agents.storage.channels import lasting, lasting_writes
from agents.storage.sqlite_database import Database

PUT = """
INSERT INTO checkpoints (thread_id, ns, id, root, kind, checkpoint, metadata_kind, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (thread_id, ns) DO UPDATE SET id = excluded.id, root = excluded.root, kind = excluded.kind,
    checkpoint = excluded.checkpoint, metadata_kind = excluded.metadata_kind, metadata = excluded.metadata
"""

ADD_WRITE = "INSERT OR IGNORE INTO writes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
REPLACE_WRITE = "INSERT OR REPLACE INTO writes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"

# What a run writes is saved in the background, and may come before its checkpoint or after the next one.
OUTDATED_WRITES = "DELETE FROM writes WHERE thread_id = ? AND ns = ? AND checkpoint_id < ?"

# A call of a subgraph has a namespace of its own, `node:task`, and `root` is the checkpoint of the whole graph in which it
# was made: once that is over, so is the call. A subgraph with a memory of its own has none but `node`, and is kept.
OVER = (
    """DELETE FROM writes WHERE thread_id = ?1 AND ns IN
    (SELECT ns FROM checkpoints WHERE thread_id = ?1 AND ns LIKE '%:%' AND root < ?2)""",
    "DELETE FROM checkpoints WHERE thread_id = ?1 AND ns LIKE '%:%' AND root < ?2",
)

SELECT = "SELECT thread_id, ns, id, kind, checkpoint, metadata_kind, metadata FROM checkpoints"


class SqliteSaver(BaseCheckpointSaver[int]):
    """For graphs that run in asyncio. Holds no `reply` and no `outcome`, whatever channels a graph has for them."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        thread_id, ns = _key(config)
        wanted = get_checkpoint_id(config)

        def read(connection: sqlite3.Connection) -> CheckpointTuple | None:
            row = connection.execute(f"{SELECT} WHERE thread_id = ? AND ns = ?", (thread_id, ns)).fetchone()
            return self._tuple(connection, row) if row and wanted in (None, row[2]) else None

        return await self._database.run(read)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """At most one of a namespace, the newest first."""

        def read(connection: sqlite3.Connection) -> list[CheckpointTuple]:
            where, values = "1", []
            if config is not None:
                where, values = "thread_id = ?", [config["configurable"]["thread_id"]]
                if (ns := config["configurable"].get("checkpoint_ns")) is not None:
                    where, values = f"{where} AND ns = ?", [*values, ns]
                if wanted := get_checkpoint_id(config):
                    where, values = f"{where} AND id = ?", [*values, wanted]
            if before is not None and (last := get_checkpoint_id(before)):
                where, values = f"{where} AND id < ?", [*values, last]
            rows = connection.execute(f"{SELECT} WHERE {where} ORDER BY id DESC", values).fetchall()
            return [self._tuple(connection, row) for row in rows]

        found = [each for each in await self._database.run(read) if (filter or {}).items() <= dict(each.metadata).items()]
        for each in found[:limit]:
            yield each

    async def aput(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, new_versions: ChannelVersions
    ) -> RunnableConfig:
        thread_id, ns = _key(config)
        identifier = checkpoint["id"]
        root = metadata.get("parents", {}).get("", "")
        # Here and not on the database's thread: the graph goes on, and changes what it handed over.
        document = self.serde.dumps_typed(lasting(checkpoint))
        facts = self.serde.dumps_typed(get_checkpoint_metadata(config, metadata))

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(PUT, (thread_id, ns, identifier, root, *document, *facts))
            connection.execute(OUTDATED_WRITES, (thread_id, ns, identifier))
            if not ns:
                for statement in OVER:
                    connection.execute(statement, (thread_id, identifier))

        self._database.post(write)
        return _config(thread_id, ns, identifier)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        thread_id, ns = _key(config)
        identifier = config["configurable"]["checkpoint_id"]
        special = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        rows = [
            (task_id, WRITES_IDX_MAP.get(channel, index), task_path, channel, *self.serde.dumps_typed(value))
            for index, (channel, value) in enumerate(lasting_writes(writes))
        ]
        # As LangGraph has it: an error may take another's place, what a task has written is written once.
        statement = REPLACE_WRITE if special else ADD_WRITE

        def write(connection: sqlite3.Connection) -> None:
            late = "SELECT 1 FROM checkpoints WHERE thread_id = ? AND ns = ? AND id > ?"
            if connection.execute(late, (thread_id, ns, identifier)).fetchone() is None:
                connection.executemany(statement, [(thread_id, ns, identifier, *row) for row in rows])

        self._database.post(write)

    async def adelete_thread(self, thread_id: str) -> None:
        await self._database.run(lambda connection: delete_thread(connection, thread_id))

    def _tuple(self, connection: sqlite3.Connection, row: tuple[Any, ...]) -> CheckpointTuple:
        thread_id, ns, identifier, kind, checkpoint, metadata_kind, metadata = row
        writes = connection.execute(
            "SELECT task_id, channel, kind, value FROM writes WHERE thread_id = ? AND ns = ? AND checkpoint_id = ? "
            "ORDER BY task_path, task_id, idx",
            (thread_id, ns, identifier),
        ).fetchall()
        return CheckpointTuple(
            config=_config(thread_id, ns, identifier),
            checkpoint=self.serde.loads_typed((kind, checkpoint)),
            metadata=self.serde.loads_typed((metadata_kind, metadata)),
            pending_writes=[(task, channel, self.serde.loads_typed((kind, value))) for task, channel, kind, value in writes],
        )

    def get_tuple(self, config: RunnableConfig) -> NoReturn:
        raise _only_async("ainvoke")

    def list(self, *_: object, **__: object) -> Iterator[CheckpointTuple]:
        raise _only_async("aget_state_history")

    def put(self, *_: object, **__: object) -> NoReturn:
        raise _only_async("ainvoke")

    def put_writes(self, *_: object, **__: object) -> NoReturn:
        raise _only_async("ainvoke")

    def delete_thread(self, thread_id: str) -> NoReturn:
        raise _only_async("adelete_thread")


def delete_thread(connection: sqlite3.Connection, thread_id: str) -> None:
    connection.execute("DELETE FROM checkpoints WHERE thread_id = ?", (thread_id,))
    connection.execute("DELETE FROM writes WHERE thread_id = ?", (thread_id,))


def _key(config: RunnableConfig) -> tuple[str, str]:
    configurable = config["configurable"]
    return str(configurable["thread_id"]), configurable.get("checkpoint_ns", "")


def _config(thread_id: str, ns: str, identifier: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": identifier}}


def _only_async(instead: str) -> NotImplementedError:
    return NotImplementedError(f"The agent's checkpointer works in asyncio alone: use the graph's {instead}, or the like.")
