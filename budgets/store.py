"""The counters, in Redis or Valkey, 7 or later.

One key a budget and window, `budgets:{domain}:counter:unit:start:entries`; the braces put a domain's keys into one cluster
slot, so that one script may touch them all. A key expires soon after its window, so nothing has to be swept.
"""

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from budgets.policy import Budget, Entries
from budgets.windows import window_at

log = logging.getLogger("budgets")

LINGER = 120
"""Seconds a counter stays after its window, so that services whose clocks differ a little still agree on it. Lives are
relative, because the store's own clock may differ too, and a moment in its past would delete the counter at once."""

MARKER_LIFE = 900
"""Seconds for which a charge is remembered by its id; far longer than any gateway repeats one."""

SAFE = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
"""The store's settings under which no charge that was made is lost when it is killed or full."""

# A store that is full, read-only or short of replicas still reads, so a plain MGET would admit calls that nobody could
# charge. It refuses a script that does not promise `no-writes`, although this one writes nothing.
_READ = """#!lua
return redis.call('MGET', unpack(KEYS))
"""

# Adds to all counters or to none: none if the marker says that this charge was made before.
_CHARGE = """
if redis.call('SET', KEYS[1], 1, 'NX', 'EX', ARGV[1]) then
  for i = 2, #KEYS do
    redis.call('INCRBY', KEYS[i], ARGV[2 * i - 2])
    redis.call('EXPIRE', KEYS[i], ARGV[2 * i - 1])
  end
end
"""


class StoreAway(Exception):
    """The store did not answer in time, or refused. Nothing is known about what it did last."""


@dataclass(frozen=True)
class Counter:
    """One budget in one window: where its value lives, and for how many seconds it must."""

    key: str
    life: int


class Store:
    """Every method that talks to the store raises StoreAway when it cannot, and logs when that begins and ends."""

    def __init__(self, redis: Redis, domain: str) -> None:
        self._redis = redis
        self._prefix = f"budgets:{{{domain}}}:"
        self._counters = f"{self._prefix}counter:"
        self._read = redis.register_script(_READ)
        self._charge = redis.register_script(_CHARGE)
        self._trouble: str | None = None

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
        """What each counter holds, 0 where there is none. Raises StoreAway also when the store could not be charged."""
        if not counters:
            return []
        with self._watched():
            return [int(value or 0) for value in await self._read([counter.key for counter in counters])]

    async def charge(self, charge_id: str, amounts: Mapping[Counter, int]) -> None:
        """Add to every counter at once, but once only for a charge's id."""
        keys = [f"{self._prefix}charge:{charge_id}", *(counter.key for counter in amounts)]
        arguments = [MARKER_LIFE]
        for counter, amount in amounts.items():
            arguments += [amount, counter.life]
        with self._watched():
            await self._charge(keys, arguments)

    async def charged_entries(self) -> set[Entries]:
        """The descriptors that have a counter, in this window or one just past."""
        with self._watched():
            keys = [key async for key in self._redis.scan_iter(f"{_literal(self._counters)}*", count=1000)]
        descriptors = (json.loads(key.removeprefix(self._counters).split(":", 2)[2]) for key in keys)
        return {tuple((name, value) for name, value in descriptor) for descriptor in descriptors}

    async def take(self, counters: Sequence[Counter]) -> list[int]:
        """Empty the counters; what each held. No charge can fall in between."""
        with self._watched():
            async with self._redis.pipeline(transaction=True) as transaction:
                for counter in counters:
                    transaction.getdel(counter.key)
                return [int(value or 0) for value in await transaction.execute()]

    async def ping(self) -> None:
        """Whether calls can be both checked and charged."""
        with self._watched():
            await self._read([f"{self._prefix}ping"])

    async def risks(self) -> list[str]:
        """Its settings that are not the safe ones; none where it does not tell, as managed stores do not."""
        with contextlib.suppress(RedisError, OSError):
            found = await self._redis.config_get(*SAFE)
            return [f"{name} {found[name]}" for name, safe in SAFE.items() if found.get(name, safe) != safe]
        return []

    async def close(self) -> None:
        await self._redis.aclose()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            reason = str(error) or type(error).__name__
            if self._trouble is None:
                log.error("the store that BUDGETS_STORE names cannot be used, so every call is refused: %s", reason)
            self._trouble = reason
            raise StoreAway(reason) from error
        if self._trouble is not None:
            log.warning("the store can be used again")
            self._trouble = None


def _literal(text: str) -> str:
    """`text` for a SCAN pattern, where brackets and the like would be patterns."""
    return "".join(f"\\{char}" if char in "*?[]\\^" else char for char in text)
