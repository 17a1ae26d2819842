"""The SQLite file: one process owns it, and its tables are made when it is first opened."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from agents.storage.store import StorageError

VERSION = 1

TABLES = """
CREATE TABLE IF NOT EXISTS tasks (
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    context_id TEXT NOT NULL,
    state INTEGER NOT NULL,
    updated_at INTEGER,
    document BLOB NOT NULL,
    PRIMARY KEY (owner, id)
);
CREATE INDEX IF NOT EXISTS tasks_as_listed ON tasks (owner, updated_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS tasks_by_state ON tasks (state, updated_at);
CREATE TABLE IF NOT EXISTS contexts (id TEXT PRIMARY KEY, owner TEXT NOT NULL, used REAL NOT NULL);
CREATE INDEX IF NOT EXISTS contexts_by_use ON contexts (used);
CREATE TABLE IF NOT EXISTS checkpoints (
    thread_id TEXT NOT NULL,
    ns TEXT NOT NULL,
    id TEXT NOT NULL,
    root TEXT NOT NULL,
    kind TEXT NOT NULL,
    checkpoint BLOB NOT NULL,
    metadata_kind TEXT NOT NULL,
    metadata BLOB NOT NULL,
    PRIMARY KEY (thread_id, ns)
);
CREATE TABLE IF NOT EXISTS writes (
    thread_id TEXT NOT NULL,
    ns TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    idx INTEGER NOT NULL,
    task_path TEXT NOT NULL,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (thread_id, ns, checkpoint_id, task_id, idx)
);
"""
"""`updated_at` is in nanoseconds since 1970, `used` in seconds. A thread is a context; agents.storage.sqlite_saver says what a
`root` is.
"""


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Holds `<path>.lock`, whose folder it makes. Raises StorageError where another process holds it.

    The kernel lets go when the process ends, however it ends, so a lock file that is left behind locks nobody out.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Never removed: whoever removes it may remove the one that a third process has just locked.
        file = Path(f"{path}.lock").open("a+", encoding="ascii")  # noqa: SIM115 - closed below
    except OSError as error:
        raise StorageError(f"{path} cannot be used: {error.strerror}. Name a file in a folder that can be written.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise StorageError(
                f"{path} belongs to another agent that runs (process {holder}): stop it, give this one a file of its own, "
                "or share a Postgres."
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def connect(path: Path) -> sqlite3.Connection:
    """A connection for whichever one thread uses it first. Raises StorageError where the file is not such a database."""
    try:
        connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False, cached_statements=256)
    except sqlite3.Error as error:
        raise StorageError(f"{path} cannot be opened: {error}. Name a file that can be written.") from error
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    try:
        # NORMAL survives every end of the process; a power cut may cost the last moments, never the file.
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 10000;")
        with closing(connection.execute("PRAGMA user_version")) as found:
            version = found.fetchone()[0]
        if version not in (0, VERSION):
            raise StorageError(f"{path} is of another version of the agent (format {version}): use that one, or another file.")
        # The version is written last and every time, so that a file that cannot be written is known now.
        connection.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    except sqlite3.Error as error:
        raise StorageError(
            f"{path} cannot be used: {error}. Restore it, or move it away and the agent starts with an empty one."
        ) from error
