"""Calls of scripts that share round trips: what is asked while trips are under way goes along with the next.

A store that stalls costs no call more than one trip, which is two time-outs: who waits for a trip that fails, fails with it.
"""

import asyncio
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hiredis import pack_command
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import MovedError, NoScriptError, ResponseError
from redis.exceptions import TimeoutError as NoAnswer

MOST = 256
"""Calls in one trip; a longer one would keep the store, which runs one script at a time, from everybody else."""

SIDE_BY_SIDE = 2
"""Trips under way at once: while the store works on one, the next is made up. A lone check need not wait for a charge."""


@dataclass(frozen=True)
class Script:
    source: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest())


@dataclass
class _Asked:
    script: Script
    words: tuple[Any, ...]
    answer: asyncio.Future[Any]


class Rounds:
    """Each wait for the store is bounded by `timeout` seconds, and each trip is tried twice."""

    def __init__(self, redis: Redis, timeout: float) -> None:
        self._redis = redis
        self._timeout = timeout
        self._waiting: list[_Asked] = []
        self._under_way = 0
        self._trips: set[asyncio.Task[None]] = set()
        self._idle: list[AbstractConnection] = []

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | int | float]) -> Any:
        """Raises what redis-py raises: RedisError or OSError."""
        asked = _Asked(script, (len(keys), *keys, *arguments), asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._under_way < SIDE_BY_SIDE:
            self._under_way += 1
            trip = asyncio.create_task(self._travel())
            self._trips.add(trip)
            trip.add_done_callback(self._trips.discard)
        return await asked.answer

    async def _travel(self) -> None:
        try:
            while self._waiting:
                together, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                try:
                    await self._ask(together)
                except Exception as error:
                    # Whoever came meanwhile has waited for the same store: a trip of its own would double its wait.
                    together, self._waiting = together + self._waiting, []
                    for asked in together:
                        _fail(asked, error)
        finally:
            # In the same step in which nobody was found waiting: whoever comes next must not count on this trip.
            self._under_way -= 1

    async def _ask(self, together: list[_Asked]) -> None:
        unknown = []
        for asked, answer in zip(together, await self._answers(together), strict=True):
            if isinstance(answer, NoScriptError):
                unknown.append(asked)
            else:
                _settle(asked, answer)
        if unknown:
            for script in {asked.script for asked in unknown}:
                await self._redis.script_load(script.source)
            for asked, answer in zip(unknown, await self._answers(unknown), strict=True):
                _settle(asked, answer)

    async def _answers(self, together: list[_Asked]) -> list[Any]:
        packed = b"".join(pack_command(("EVALSHA", asked.script.digest, *asked.words)) for asked in together)
        try:
            answers = await self._exchange(packed, len(together))
        except (ConnectionLost, NoAnswer):
            # Once more, for a connection that a restarted store has closed. No script counts twice for it.
            answers = await self._exchange(packed, len(together))
        moved = next((answer for answer in answers if isinstance(answer, MovedError)), None)
        if moved is None:
            return answers
        await self._follow(moved)
        return await self._exchange(packed, len(together))

    async def _follow(self, moved: MovedError) -> None:
        """In a cluster a domain has one slot, and this says which node has it: the only one that is ever needed."""
        pool: Any = self._redis.connection_pool
        pool.connection_kwargs |= {"host": moved.host, "port": moved.port}
        await pool.disconnect()
        pool.reset()
        self._idle.clear()

    async def _exchange(self, packed: bytes, expected: int) -> list[Any]:
        """redis-py's own pipeline packs in Python, which takes longer than all else that a check does."""
        pool: Any = self._redis.connection_pool
        connection = self._idle.pop() if self._idle else await pool.get_connection()
        try:
            async with asyncio.timeout(self._timeout):
                await connection.send_packed_command(packed)
                return [await _answer(connection) for _ in range(expected)]
        except TimeoutError:
            raise NoAnswer(f"no answer within {self._timeout:g} s") from None
        finally:
            self._idle.append(connection)  # one that was lost connects anew by itself


async def _answer(connection: AbstractConnection) -> Any:
    """A script's own failure is an answer too; after any other redis-py has ended the connection."""
    try:
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error


def _settle(asked: _Asked, answer: Any) -> None:
    if isinstance(answer, Exception):
        _fail(asked, answer)
    elif not asked.answer.done():
        asked.answer.set_result(answer)


def _fail(asked: _Asked, error: Exception) -> None:
    if not asked.answer.done():
        asked.answer.set_exception(error)
