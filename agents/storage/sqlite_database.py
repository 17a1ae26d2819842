"""A SQLite file on a thread of its own, which writes together what arrives together."""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from agents.storage.store import StorageError

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]

LINGER = 0.01
"""Seconds that a write may wait for others, where nobody waits for it."""


class Database:
    """Owns the connection. What is asked for is done in order; a result is handed out once it is on disk."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._asked: SimpleQueue[_Asked | None] = SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="sqlite", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` in a transaction, perhaps more than once: it must touch the database alone.

        It is done even where the caller is cancelled meanwhile. Raises StorageError where the database fails.
        """
        done: Future[T] = Future()
        self._ask(_Asked(work, done, awaited=True))
        return await asyncio.wrap_future(done)

    def post(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """As `run`, for what nobody waits for: where it fails the log says so, and what is awaited next is likely to."""
        self._ask(_Asked(work, Future(), awaited=False))

    def _ask(self, asked: "_Asked") -> None:
        if self._closing:
            raise StorageError(f"{self._name} is closed: the agent is shutting down.")
        self._asked.put(asked)

    async def close(self) -> None:
        self._closing = True
        self._asked.put(None)
        await asyncio.to_thread(self._thread.join)

    def _serve(self) -> None:
        while self._serve_batch():
            pass
        self._connection.close()

    def _serve_batch(self) -> bool:
        """False once there is nothing more to come."""
        asked = [self._asked.get()]
        late = time.monotonic() + LINGER
        while asked[-1] is not None:
            # What is posted waits a moment for more, for a transaction costs more than a write; what is awaited does not.
            patience = 0.0 if any(each is not None and each.awaited for each in asked) else late - time.monotonic()
            try:
                asked.append(self._asked.get(timeout=patience) if patience > 0 else self._asked.get_nowait())
            except Empty:
                break
        # A caller that has been cancelled is still served: what it said may have reached the user already.
        batch = [each for each in asked if each is not None]
        if batch:
            self._commit(batch)
        return len(batch) == len(asked)

    def _commit(self, batch: "list[_Asked]") -> None:
        try:
            results = self._in_one_transaction([each.work for each in batch])
        except Exception as error:
            if len(batch) > 1:
                # Nothing of it was kept. One by one, those that can be served are.
                for one in batch:
                    self._commit([one])
                return
            if not batch[0].awaited and not isinstance(error, sqlite3.Error):
                log.error("%s: what nobody waits for was not kept: %s.", self._name, error, exc_info=error)
            _settle(batch[0].done, error=self._told(error))
        else:
            for each, result in zip(batch, results, strict=True):
                _settle(each.done, result)

    def _in_one_transaction(self, works: list[Work]) -> list[Any]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            results = [work(self._connection) for work in works]
            self._connection.execute("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself where the disk is full.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return results

    def _told(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error):
            return error
        told = StorageError(f"{self._name} cannot be used: {error}. Check its disk and its permissions.")
        told.__cause__ = error
        log.error("%s", told)
        return told


class _Asked(NamedTuple):
    work: Work
    done: "Future[Any]"
    awaited: bool


def _settle(done: "Future[Any]", result: object = None, error: Exception | None = None) -> None:
    if not done.set_running_or_notify_cancel():
        return
    if error is not None:
        done.set_exception(error)
    else:
        done.set_result(result)
