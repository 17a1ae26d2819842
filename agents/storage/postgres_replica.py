"""This replica's sign of life, and what it learns from the others."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from agents.storage.postgres_connections import Pool, failures_told
from agents.storage.store import StorageError

log = logging.getLogger(__name__)

BEAT = 5
DEAD_AFTER = 20
LOOK = 1
"""Seconds: between two signs of life, without one until a replica counts as dead, and between two looks at cancelled tasks."""

SEEN = "INSERT INTO agent_replicas (id, seen) VALUES (%s, now()) ON CONFLICT (id) DO UPDATE SET seen = now()"

LIVING = f"(SELECT id FROM agent_replicas WHERE seen > now() - interval '{DEAD_AFTER} seconds')"  # noqa: S608 - a number
"""SQL: the ids of replicas that are at work. The clock is Postgres's, for all of them."""

# Where a turn's end could not be told, the context would be this replica's until its death.
FREE = "UPDATE agent_contexts SET replica = NULL WHERE replica = %s AND id <> ALL(%s)"

CANCELLED = "SELECT id FROM tasks WHERE id = ANY(%s) AND status->>'state' = 'TASK_STATE_CANCELED'"


class Replica:
    """`working_on` are the tasks at work here by id, `talking` gives the contexts with a turn."""

    def __init__(
        self, pool: Pool, name: str, replica: str, working_on: Mapping[str, str], talking: Callable[[], Iterable[str]]
    ) -> None:
        self._pool = pool
        self._name = name
        self._replica = replica
        self._working_on = working_on
        self._talking = talking
        self.stop: Callable[[str], Awaitable[None]] | None = None
        self._told: set[str] = set()

    async def live(self) -> None:
        """Until it is cancelled. A Postgres that is away is waited for."""
        looks = 0
        while True:
            await asyncio.sleep(LOOK)
            looks += 1
            try:
                if looks % BEAT == 0:
                    await self.beat()
                await self._look()
            except StorageError:
                # Has been logged. This replica counts as dead in a while, and as alive again with the next beat.
                continue
            except Exception:
                log.exception("A task that was cancelled in another replica could not be stopped here.")

    async def beat(self) -> None:
        with failures_told(self._name):
            async with self._pool.connection() as connection:
                await connection.execute(SEEN, (self._replica,))
                await connection.execute(FREE, (self._replica, list(self._talking())))

    async def leave(self) -> None:
        with failures_told(self._name):
            async with self._pool.connection() as connection:
                await connection.execute(FREE, (self._replica, []))
                await connection.execute("DELETE FROM agent_replicas WHERE id = %s", (self._replica,))

    async def _look(self) -> None:
        self._told &= set(self._working_on)
        asked = [task_id for task_id in self._working_on if task_id not in self._told]
        if self.stop is None or not asked:
            return
        with failures_told(self._name):
            async with self._pool.connection() as connection:
                rows = await (await connection.execute(CANCELLED, (asked,))).fetchall()
        for row in rows:
            self._told.add(row["id"])
            await self.stop(row["id"])
