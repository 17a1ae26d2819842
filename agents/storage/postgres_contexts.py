"""Whose a context is, and in which replica it has its turn."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from agents.storage.postgres_connections import Pool, failures_told
from agents.storage.postgres_replica import LIVING
from agents.storage.postgres_saver import PostgresSaver
from agents.storage.store import StorageError, StrangerError
from agents.storage.turns import Turns

log = logging.getLogger(__name__)

# The turn of a replica that has died is free.
CLAIM = f"""
INSERT INTO agent_contexts AS c (id, owner, used, replica) VALUES (%(id)s, %(owner)s, now(), %(replica)s)
ON CONFLICT (id) DO UPDATE SET used = now(), replica = excluded.replica
WHERE c.owner = excluded.owner AND (c.replica IS NULL OR c.replica = excluded.replica OR c.replica NOT IN {LIVING})
RETURNING id
"""  # noqa: S608 - LIVING is a constant

FREE = "UPDATE agent_contexts SET replica = NULL, used = now() WHERE id = %s AND replica = %s"

POLL = 0.2
"""Seconds between two looks whether another replica has finished."""


class Contexts:
    def __init__(self, pool: Pool, name: str, replica: str, saver: PostgresSaver) -> None:
        self._pool = pool
        self._name = name
        self._replica = replica
        self._saver = saver
        self._turns = Turns()

    def at_work(self) -> list[str]:
        return self._turns.at_work

    @asynccontextmanager
    async def turn(self, context_id: str, user: str) -> AsyncIterator[None]:
        async with self._turns.enter(context_id) as line:
            # A stranger does not stand in line. Postgres is not asked here: who asks first may be answered last.
            self._check(context_id, user, line.owner)
            async with line.turn:
                claimed = False
                # Around the claim, too: who is cancelled as Postgres grants it must give the context back.
                try:
                    await self._claim(context_id, user)
                    claimed = True
                    line.owner = user
                    yield
                finally:
                    await _to_the_end(self._finish(context_id, claimed))

    async def owner(self, context_id: str) -> str | None:
        with failures_told(self._name):
            async with self._pool.connection() as connection:
                cursor = await connection.execute("SELECT owner FROM agent_contexts WHERE id = %s", (context_id,))
                row = await cursor.fetchone()
        return None if row is None else str(row["owner"])

    @staticmethod
    def _check(context_id: str, user: str, owner: str | None) -> None:
        if owner not in (None, user):
            raise StrangerError(f"Context {context_id} is another user's.")

    async def _claim(self, context_id: str, user: str) -> None:
        """Waits until no other living replica has a turn in the context."""
        values = {"id": context_id, "owner": user, "replica": self._replica}
        while True:
            with failures_told(self._name):
                async with self._pool.connection() as connection:
                    if await (await connection.execute(CLAIM, values)).fetchone() is not None:
                        return
            # Two users may begin the same context at once.
            self._check(context_id, user, await self.owner(context_id))
            await asyncio.sleep(POLL)

    async def _finish(self, context_id: str, claimed: bool) -> None:
        try:
            # Nobody else's: another replica may be at work on it.
            if claimed:
                with failures_told(self._name):
                    await self._saver.aprune([context_id], strategy="keep_latest")
        except StorageError:
            log.warning("Context %s keeps its earlier checkpoints until its next turn.", context_id)
        try:
            with failures_told(self._name):
                async with self._pool.connection() as connection:
                    await connection.execute(FREE, (context_id, self._replica))
        except StorageError:
            log.warning("Context %s waits for the next sign of life of this replica to be free for the others.", context_id)


async def _to_the_end(work: Coroutine[None, None, None]) -> None:
    """Waits for it where the caller is cancelled meanwhile, so that the next turn here does not overtake it."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
