"""The counters, in Redis or Valkey.

One key a budget and window, `budgets:{domain}:counter:unit:start:entries`; the braces put a domain's keys into one cluster
slot, so that one script may touch them all. A key expires soon after its window, so nothing has to be swept.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from budgets.policy import Budget, Entries
from budgets.windows import window_at

LINGER = 120
"""Seconds a counter stays after its window, so that services whose clocks differ a little still agree on it. Lives are
relative, because the store's own clock may differ too, and a moment in its past would delete the counter at once."""

MARKER_LIFE = 900
"""Seconds for which a charge is remembered by its id; far longer than any gateway repeats one."""

# Adds to all counters or to none: none if the marker says that this charge was made before. Answers every counter's value.
_CHARGE = """
local first = redis.call('SET', KEYS[1], 1, 'NX', 'EX', ARGV[1])
local values = {}
for i = 2, #KEYS do
  local amount, life = ARGV[2 * i - 2], ARGV[2 * i - 1]
  if first then
    values[i - 1] = redis.call('INCRBY', KEYS[i], amount)
    redis.call('EXPIRE', KEYS[i], life)
  else
    values[i - 1] = tonumber(redis.call('GET', KEYS[i]) or '0')
  end
end
return values
"""


class StoreAway(Exception):
    """The store did not answer in time, or refused. Nothing is known about what it did last."""


@dataclass(frozen=True)
class Counter:
    """One budget in one window: where its value lives, and for how many seconds it must."""

    key: str
    life: int


class Store:
    """Every method that talks to the store raises StoreAway when it cannot."""

    def __init__(self, redis: Redis, domain: str) -> None:
        self._redis = redis
        self._counters = f"budgets:{{{domain}}}:counter:"
        self._charges = f"budgets:{{{domain}}}:charge:"
        self._charge = redis.register_script(_CHARGE)

    @classmethod
    def connect(cls, url: str, domain: str, timeout: float) -> "Store":
        """`url` as redis-py takes it. No connection is made yet; each wait is bounded by `timeout` seconds.

        One retry at once, for a pooled connection that a restarted store has closed; a charge's marker makes it harmless.
        """
        retry = Retry(NoBackoff(), 1)
        redis = Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=retry, decode_responses=True)
        return cls(redis, domain)

    def counter(self, budget: Budget, now: float) -> Counter:
        window = window_at(budget.unit, now)
        key = f"{self._counters}{budget.unit.value}:{window.start}:{json.dumps(budget.entries)}"
        return Counter(key, window.seconds_left(now) + LINGER)

    async def used(self, counters: Sequence[Counter]) -> list[int]:
        """What each counter holds, 0 where there is none."""
        if not counters:
            return []
        with _errors():
            return [int(value or 0) for value in await self._redis.mget([counter.key for counter in counters])]

    async def charge(self, charge_id: str, amounts: Mapping[Counter, int]) -> dict[Counter, int]:
        """Add to every counter at once, but once only for a charge's id; the counters' new values."""
        keys = [f"{self._charges}{charge_id}", *(counter.key for counter in amounts)]
        arguments = [MARKER_LIFE]
        for counter, amount in amounts.items():
            arguments += [amount, counter.life]
        with _errors():
            values = await self._charge(keys, arguments)
        return dict(zip(amounts, values, strict=True))

    async def charged_entries(self) -> set[Entries]:
        """The descriptors that have a counter, in this window or one just past."""
        with _errors():
            keys = [key async for key in self._redis.scan_iter(f"{_literal(self._counters)}*", count=1000)]
        descriptors = (json.loads(key.removeprefix(self._counters).split(":", 2)[2]) for key in keys)
        return {tuple((name, value) for name, value in descriptor) for descriptor in descriptors}

    async def delete(self, counters: Iterable[Counter]) -> None:
        with _errors():
            await self._redis.delete(*(counter.key for counter in counters))

    async def ping(self) -> None:
        with _errors():
            await self._redis.ping()

    async def close(self) -> None:
        await self._redis.aclose()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise StoreAway(str(error) or type(error).__name__) from error


def _literal(text: str) -> str:
    """`text` for a SCAN pattern, where brackets and the like would be patterns."""
    return "".join(f"\\{char}" if char in "*?[]\\^" else char for char in text)
