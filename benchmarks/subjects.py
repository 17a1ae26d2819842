"""What a subject costs: memory in Valkey, and the time of a check and a charge, as their number grows."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from redis.asyncio import Redis

from budgets.budget import Action, Budget, Measure
from budgets.metrics import Metrics
from budgets.stores.store import CallId, Hold
from budgets.stores.valkey import ValkeyStore
from budgets.windows import FixedWindow, RollingWindow, Unit

AT_ONCE = 200

SAMPLE = 2000
"""Calls that are timed."""


@dataclass(frozen=True)
class Growth:
    subjects: int
    bytes_each: float
    """In Valkey, with two budgets for each subject: a fixed month and a rolling day."""
    check_ms: float
    charge_ms: float


async def measure(url: str, subjects: int) -> Growth:
    async with Redis.from_url(url) as redis:
        await redis.flushall()
        store = ValkeyStore.connect(url, uuid.uuid4().hex, 5, Metrics())
        await _fill(store, redis, range(-1, 0))  # so that scripts and connections are there before the memory is read
        before = (await redis.info("memory"))["used_memory"]
        await _fill(store, redis, range(subjects))
        after = (await redis.info("memory"))["used_memory"]
        check_ms, charge_ms = await _times(store, subjects)
        await store.close()
        await redis.flushall()
    return Growth(subjects, (after - before) / subjects, check_ms, charge_ms)


async def _fill(store: ValkeyStore, redis: Redis, subjects: range) -> None:
    for some in range(subjects.start, subjects.stop, AT_ONCE):
        numbers = range(some, min(some + AT_ONCE, subjects.stop))
        charges = (store.charge(CallId(f"first-{n}"), dict.fromkeys(_budgets(n), 100), time.time()) for n in numbers)
        await asyncio.gather(*charges)
    # The markers of these charges live for a quarter of an hour, however many subjects there are.
    async for key in redis.scan_iter("*:call:first-*", count=5000):
        await redis.unlink(key)


async def _times(store: ValkeyStore, subjects: int) -> tuple[float, float]:
    checking, charging = 0.0, 0.0
    for n in range(SAMPLE):
        budgets = list(_budgets(n * 7919 % subjects))
        call, now = CallId(f"timed-{n}"), time.time()
        begun = time.perf_counter()
        await store.reserve(call, [Hold(budget, 100) for budget in budgets], now, now + 300, "{}")
        between = time.perf_counter()
        await store.charge(call, dict.fromkeys(budgets, 100), now)
        checking += between - begun
        charging += time.perf_counter() - between
    return checking / SAMPLE * 1000, charging / SAMPLE * 1000


def _budgets(n: int) -> Iterator[Budget]:
    subject = {"user": f"user-{n}"}
    for window in (FixedWindow(Unit.MONTH), RollingWindow(Unit.DAY)):
        key = f"per-user:{window.name}:user-{n}"
        yield Budget(key, "per-user", key, subject, 10**9, Measure.TOKENS, window, Action.BLOCK)
