"""Forgets what is beyond the limits. One replica at a time does it, for all."""

from collections.abc import Sequence

from a2a.types import TaskState
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from agents.storage.postgres_connections import Pool
from agents.storage.postgres_replica import LIVING
from agents.storage.store import Limits
from agents.tasks import TERMINAL

SWEEP = 0x737765657073
"""The advisory lock of a sweep."""

ENDED_STATES = f"({', '.join(repr(TaskState.Name(state)) for state in sorted(TERMINAL))})"
"""SQL, as the SDK's store writes them."""

ENDED = f"(status->>'state' IN {ENDED_STATES})"

# `last_updated` is UTC, without a time zone.
OLD_TASKS = f"""
DELETE FROM tasks WHERE {ENDED} AND (
    last_updated < (now() AT TIME ZONE 'UTC') - make_interval(secs => %(seconds)s)
    OR id IN (
        SELECT id FROM tasks WHERE {ENDED} ORDER BY last_updated NULLS FIRST, id
        LIMIT GREATEST(0, (SELECT count(*) FROM tasks) - %(tasks)s)
    )
)
"""  # noqa: S608 - constants

WITHOUT_TASK = (
    "DELETE FROM task_versions v WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = v.task_id)",
    "DELETE FROM task_events e WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = e.task_id)",
)

# Kept for an hour: a listener in another replica reads them from the start.
OLD_EVENTS = f"""
DELETE FROM task_events e USING tasks WHERE tasks.id = e.task_id AND {ENDED}
AND last_updated < (now() AT TIME ZONE 'UTC') - interval '1 hour'
"""  # noqa: S608 - constants

OLD_CONTEXTS = f"""
DELETE FROM agent_contexts WHERE (replica IS NULL OR replica NOT IN {LIVING}) AND (
    used < now() - make_interval(secs => %(seconds)s)
    OR id IN (
        SELECT id FROM agent_contexts ORDER BY used
        LIMIT GREATEST(0, (SELECT count(*) FROM agent_contexts) - %(contexts)s)
    )
) RETURNING id
"""  # noqa: S608 - LIVING is a constant

OLD_REPLICAS = f"DELETE FROM agent_replicas WHERE id NOT IN {LIVING}"  # noqa: S608 - LIVING is a constant


async def forget(pool: Pool, limits: Limits) -> None:
    async with pool.connection() as connection, connection.transaction():
        row = await (await connection.execute("SELECT pg_try_advisory_xact_lock(%s) AS mine", (SWEEP,))).fetchone()
        if row is not None and row["mine"]:
            await _forget(connection, limits)


async def _forget(connection: AsyncConnection[DictRow], limits: Limits) -> None:
    values = {"tasks": limits.tasks, "contexts": limits.contexts, "seconds": limits.seconds}
    for statement in (OLD_TASKS, OLD_EVENTS, *WITHOUT_TASK, OLD_REPLICAS):
        await connection.execute(statement, values if statement is OLD_TASKS else None)
    rows = await (await connection.execute(OLD_CONTEXTS, values)).fetchall()
    await _forget_threads(connection, [str(row["id"]) for row in rows])


async def _forget_threads(connection: AsyncConnection[DictRow], threads: Sequence[str]) -> None:
    """In the same transaction as their contexts: a turn that begins meanwhile waits, and begins anew."""
    for statement in (
        "DELETE FROM checkpoints WHERE thread_id = ANY(%s)",
        "DELETE FROM checkpoint_blobs WHERE thread_id = ANY(%s)",
        "DELETE FROM checkpoint_writes WHERE thread_id = ANY(%s)",
    ):
        await connection.execute(statement, (threads,))
