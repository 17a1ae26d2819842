"""Turns at costly work: a few at once, some that wait, and nobody beyond."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class BusyError(Exception):
    """As many wait already as may, in all or of one caller's."""


class Turns:
    """`waiting` requests may wait in all, `each` of one caller, so that one alone does not keep out all others."""

    def __init__(self, at_once: int, waiting: int, each: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._may_wait = waiting
        self._each_may_wait = each
        self._waiting: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        """Raises BusyError. Who came first is first."""
        if self._free.locked() and self._is_full_for(caller):
            raise BusyError
        self._waiting[caller] += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting[caller] -= 1
            if not self._waiting[caller]:
                del self._waiting[caller]
        try:
            yield
        finally:
            self._free.release()

    def _is_full_for(self, caller: str) -> bool:
        return self._waiting.total() >= self._may_wait or self._waiting[caller] >= self._each_may_wait
