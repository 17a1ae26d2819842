"""Limits that an operator has raised, or lowered, for a number of windows. The policy stays as it is.

They are kept in the store, so that every replica goes by them and a restart forgets none; each looks there once a second.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from budgets.budget import Budget
from budgets.stores.store import Store
from budgets.windows import SECONDS, FixedWindow


@dataclass(frozen=True)
class Raise:
    limit: int
    until: float
    """Seconds since the epoch."""


class Raises:
    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._by_key: dict[str, Raise] = {}

    @property
    def any(self) -> bool:
        return bool(self._by_key)

    def applied(self, budget: Budget) -> Budget:
        """The budget with the limit that counts now."""
        raised = self._by_key.get(budget.key)
        return replace(budget, limit=raised.limit) if raised and self._clock() < raised.until else budget

    def of(self, budget: Budget) -> Raise | None:
        raised = self._by_key.get(budget.key)
        return raised if raised and self._clock() < raised.until else None

    async def load(self) -> None:
        """Take up what is kept, and forget what has ended. Raises StoreAway."""
        kept = {key: each for key, text in (await self._store.raises()).items() if (each := _read(text))}
        now = self._clock()
        for key in [key for key, each in kept.items() if each.until <= now]:
            del kept[key]
            await self._store.keep_raise(key, None)
        self._by_key = kept

    async def raise_limit(self, budget: Budget, limit: int, windows: int) -> Raise:
        """For this window and the `windows - 1` after it; of a rolling one, for so many lengths from now. Raises StoreAway."""
        raised = Raise(limit, _end(budget, windows, self._clock()))
        await self._store.keep_raise(budget.key, json.dumps({"limit": raised.limit, "until": raised.until}))
        self._by_key[budget.key] = raised
        return raised


def _read(text: str) -> Raise | None:
    """None for what this version does not understand: others may have written it, and reservations must go on ending."""
    try:
        told = json.loads(text)
        return Raise(int(told["limit"]), float(told["until"]))
    except (ValueError, TypeError, KeyError):
        return None


def _end(budget: Budget, windows: int, now: float) -> float:
    window = budget.window
    if not isinstance(window, FixedWindow):
        return now + windows * SECONDS[window.unit]
    end: float = now
    for _ in range(windows):
        end = window.bounds(end)[1]
    return end
