"""How Postgres is reached, and what is said where it cannot be."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from agents.storage.store import StorageError

log = logging.getLogger(__name__)

Pool: TypeAlias = AsyncConnectionPool[AsyncConnection[DictRow]]

NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""As JSON escapes it; after an odd number of backslashes, it is text that only looks like it."""

PATIENCE = 5
"""Seconds to wait for a connection."""

TABLES = """
CREATE TABLE IF NOT EXISTS agent_replicas (id TEXT PRIMARY KEY, seen TIMESTAMPTZ NOT NULL);
CREATE TABLE IF NOT EXISTS agent_contexts (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, used TIMESTAMPTZ NOT NULL, replica TEXT
);
CREATE INDEX IF NOT EXISTS agent_contexts_by_use ON agent_contexts (used);
CREATE TABLE IF NOT EXISTS agent_work (task_id TEXT, owner TEXT, replica TEXT NOT NULL, PRIMARY KEY (task_id, owner));
"""
"""`replica` is the one in which a context has its turn, or which works on a task."""

# The SDK's columns hold 36 characters of an id, but a context's id is the client's to choose. Costs nothing once it is done.
WIDEN = """
DO $$ DECLARE narrow RECORD; BEGIN
    FOR narrow IN
        SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name IN ('tasks', 'task_versions', 'task_events')
        AND data_type = 'character varying'
    LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN %I TYPE TEXT', narrow.table_name, narrow.column_name);
    END LOOP;
END $$
"""

SETUP = 0x6167656E7473
"""The advisory lock under which tables are made: CREATE TABLE IF NOT EXISTS fails where two do it at once."""


@contextmanager
def failures_told(name: str) -> Iterator[None]:
    """Turns what the driver raises into a StorageError, in the log as well."""
    try:
        yield
    except (psycopg.Error, SQLAlchemyError, PoolTimeout, OSError) as error:
        cause = getattr(error, "orig", None) or error
        reason = next(iter(str(cause).strip().splitlines()), type(cause).__name__).rstrip(".")
        told = StorageError(f"{name} cannot be used: {reason}. Check that it runs, its address and its password.")
        log.error("%s", told)
        raise told from error


def _impatient(url: str) -> str:
    return url if "connect_timeout" in conninfo_to_dict(url) else make_conninfo(url, connect_timeout=PATIENCE)


@asynccontextmanager
async def pool_on(url: str) -> AsyncIterator[Pool]:
    """Connections in autocommit, as LangGraph's saver needs them; each is tried before it is handed out."""
    pool: Pool = AsyncConnectionPool(
        _impatient(url),
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
        min_size=1,
        max_size=8,
        timeout=PATIENCE,
        check=AsyncConnectionPool.check_connection,
        open=False,
    )
    # Asked for by hand first: the pool would try on without a word, and say only that it took too long.
    await (await AsyncConnection.connect(_impatient(url))).close()
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close(timeout=PATIENCE)


@asynccontextmanager
async def engine_on(url: str) -> AsyncIterator[AsyncEngine]:
    """For the SDK's stores. The address is libpq's to read, so that all that it allows is allowed here."""

    async def connect() -> AsyncConnection:
        connection = await AsyncConnection.connect(_impatient(url), prepare_threshold=0)
        set_json_dumps(_without_nul, connection)
        return connection

    engine = create_async_engine(
        "postgresql+psycopg://",
        async_creator=connect,
        pool_pre_ping=True,
        pool_size=8,
        max_overflow=8,
        pool_timeout=PATIENCE,
        hide_parameters=True,
    )
    try:
        yield engine
    finally:
        await engine.dispose()


def _without_nul(value: object) -> str:
    """JSON. One task whose status holds the character U+0000 would fail every query that looks into the statuses."""
    text = json.dumps(value)
    return NUL.sub(r"\1\\ufffd", text) if "\\u0000" in text else text


@asynccontextmanager
async def alone(url: str) -> AsyncIterator[AsyncConnection]:
    """One replica at a time. Asks again and again: one that waits in Postgres would hold up CREATE INDEX CONCURRENTLY."""
    async with await AsyncConnection.connect(_impatient(url), autocommit=True) as connection:
        while True:
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (SETUP,))
            if await cursor.fetchone() == (True,):
                break
            await asyncio.sleep(0.1)
        await connection.execute(TABLES)
        yield connection
