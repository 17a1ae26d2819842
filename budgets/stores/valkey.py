"""The counters in Redis or Valkey, 7 or later: one script a call, in `scripts/`.

Every key begins with `budgets:{domain}:`; the braces put a domain's keys into one slot of a cluster, so that one script may
touch them all. A counter expires soon after its window, so nothing has to be swept.
"""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from budgets.budget import Budget
from budgets.metrics import Metrics
from budgets.stores.rounds import Rounds, Script
from budgets.stores.store import FADES, MARKER_LIFE, CallId, Hold, Lapsed, Reserved, StoreAway, Tally

log = logging.getLogger("budgets")

LINGER = 1200
"""Seconds a counter stays after its window: reservations made in it may still end, and the clocks of services may differ. Lives
are relative, because the store's own clock may differ too, and a moment in its past would delete the counter at once."""

EXPIRED_AT_ONCE = 200
"""Reservations that one sweep ends at most, for the store runs nothing else meanwhile."""

SAFE = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
"""The store's settings under which no charge that was made is lost when it is killed or full."""


def _script(name: str) -> Script:
    folder = Path(__file__).with_name("scripts")
    return Script("".join((folder / f"{each}.lua").read_text(encoding="utf-8") for each in ("counter", name)))


_RESERVE, _CHARGE, _END = _script("reserve"), _script("charge"), _script("end")
_EXPIRE, _READ, _RESET = _script("expire"), _script("read"), _script("reset")


class ValkeyStore:
    """Every method that talks to the store raises StoreAway when it cannot, and logs when that begins and ends."""

    def __init__(self, redis: Redis, domain: str, timeout: float, metrics: Metrics) -> None:
        self._redis = redis
        self._metrics = metrics
        self._rounds = Rounds(redis, timeout)
        prefix = f"budgets:{{{domain}}}:"
        self._counters = f"{prefix}counter:"
        self._records = f"{prefix}call:"
        self._lanes = f"{prefix}lane:"
        self._deadlines = f"{prefix}deadlines"
        self._raises = f"{prefix}raises"
        self._trouble: str | None = None

    @classmethod
    def connect(cls, url: str, domain: str, timeout: float, metrics: Metrics) -> "ValkeyStore":
        """`url` as redis-py takes it. No connection is made yet; each wait is bounded by `timeout` seconds."""
        retry = Retry(NoBackoff(), 1)
        redis = Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=retry, decode_responses=True)
        return cls(redis, domain, timeout, metrics)

    async def reserve(self, call: CallId, holds: Sequence[Hold], now: float, deadline: float, note: str) -> Reserved:
        words: list[str | int | float] = [call.value, deadline, MARKER_LIFE, note, int(call.lane is not None)]
        keys = [self._records + call.value, self._deadlines, self._lane(call)]
        for hold in holds:
            place = hold.budget.window.place(now)
            keys.append(self._counter(hold.budget, place.span))
            words += [place.bucket, place.first, place.life + LINGER, hold.budget.limit, hold.amount]
            words += [int(hold.blocks), hold.owed]
        admitted, *figures = await self._run("reserve", _RESERVE, keys, words)
        return Reserved(bool(admitted), tuple(_tally(*each) for each in _by(3, figures)))

    async def charge(self, call: CallId, amounts: Mapping[Budget, int], now: float) -> bool:
        words: list[str | int | float] = [call.value, MARKER_LIFE, self._records, int(call.lane is not None), now, FADES]
        keys = [self._records + call.value, self._deadlines, self._lane(call)]
        for budget, amount in amounts.items():
            place = budget.window.place(now)
            keys.append(self._counter(budget, place.span))
            words += [place.bucket, place.first, place.life + LINGER, amount]
        return bool(await self._run("charge", _CHARGE, keys, words))

    async def commit(self, call: CallId) -> str | None:
        return await self._end(call, "commit")

    async def release(self, call: CallId) -> str | None:
        return await self._end(call, "release")

    async def expire(self, now: float) -> list[Lapsed]:
        words: list[str | int | float] = [now, EXPIRED_AT_ONCE, self._records, MARKER_LIFE]
        ended = await self._run("expire", _EXPIRE, [self._deadlines], words)
        return [Lapsed(call, how == "committed", note) for call, how, note in _by(3, ended)]

    async def read(self, budgets: Sequence[Budget], now: float) -> list[Tally]:
        tallies: list[Tally] = []
        for some in _by(100, budgets):
            places = [budget.window.place(now) for budget in some]
            keys = [self._counter(budget, place.span) for budget, place in zip(some, places, strict=True)]
            words = [word for budget, place in zip(some, places, strict=True) for word in (place.first, budget.limit)]
            tallies += [_tally(*each) for each in _by(5, await self._run("read", _READ, keys, words))]
        return tallies

    async def reset(self, budgets: Sequence[Budget], now: float) -> list[Tally]:
        tallies: list[Tally] = []
        for some in _by(100, budgets):
            places = [budget.window.place(now) for budget in some]
            keys = [self._counter(budget, place.span) for budget, place in zip(some, places, strict=True)]
            figures = await self._run("reset", _RESET, keys, [place.first for place in places])
            tallies += [_tally(*each) for each in _by(2, figures)]
        return tallies

    async def charged_keys(self) -> set[str]:
        with self._watched("scan"):
            found = {key async for key in self._redis.scan_iter(f"{_literal(self._counters)}*", count=1000)}
        return {key.removeprefix(self._counters).partition(":")[2] for key in found}

    async def raises(self) -> dict[str, str]:
        with self._watched("raises"):
            return {str(key): str(kept) for key, kept in (await self._redis.hgetall(self._raises)).items()}

    async def keep_raise(self, key: str, kept: str | None) -> None:
        with self._watched("raises"):
            if kept is None:
                await self._redis.hdel(self._raises, key)
            else:
                await self._redis.hset(self._raises, key, kept)

    async def ping(self) -> None:
        await self._run("ping", _READ, [], [])

    async def risks(self) -> list[str]:
        """Its settings that are not the safe ones; none where it does not tell, as managed stores do not."""
        with contextlib.suppress(RedisError, OSError):
            found = await self._redis.config_get(*SAFE)
            return [f"{name} {found[name]}" for name, safe in SAFE.items() if found.get(name, safe) != safe]
        return []

    async def close(self) -> None:
        await self._redis.aclose()

    async def _end(self, call: CallId, how: str) -> str | None:
        keys = [self._records + call.value, self._deadlines]
        note: str | None = await self._run(how, _END, keys, [call.value, MARKER_LIFE, how])
        return note

    async def _run(self, operation: str, script: Script, keys: Sequence[str], words: Sequence[str | int | float]) -> Any:
        with self._watched(operation):
            return await self._rounds.run(script, keys, words)

    def _counter(self, budget: Budget, span: str) -> str:
        return f"{self._counters}{span}:{budget.key}"

    def _lane(self, call: CallId) -> str:
        return self._lanes + (call.lane or "")

    @contextlib.contextmanager
    def _watched(self, operation: str) -> Iterator[None]:
        try:
            with self._metrics.store_seconds(operation):
                yield
        except (RedisError, OSError) as error:
            reason = str(error) or type(error).__name__
            if self._trouble is None:
                log.error("the store that BUDGETS_STORE names cannot be used: %s", reason)
            self._trouble = reason
            raise StoreAway(reason) from error
        if self._trouble is not None:
            log.warning("the store can be used again")
            self._trouble = None


def _tally(total: str, reserved: str, room_after: int = -1, burnt: str = "0", burnt_at: str = "0") -> Tally:
    held = int(reserved)
    return Tally(int(total) - held, held, None if room_after < 0 else room_after, float(burnt), float(burnt_at))


def _by(size: int, items: Sequence[Any]) -> Iterator[Any]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _literal(text: str) -> str:
    """`text` for a SCAN pattern, where brackets and the like would be patterns."""
    return "".join(f"\\{char}" if char in "*?[]\\^" else char for char in text)
