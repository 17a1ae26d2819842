"""What a store of counters does. There are two: Valkey for service, memory for `budgets simulate`; one set of tests holds both.

An amount is a whole number of tokens or picodollars. A reservation is what a call under way may cost; it counts against the
limit as spend does. Moments are seconds since the epoch.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from budgets.budget import Action, Budget

MARKER_LIFE = 900
"""Seconds for which a charge is remembered by its call's id; far longer than any gateway repeats one."""

FADES = 300
"""Seconds in which burn fades to a third: what "of late" means in a burn rate."""


class StoreAway(Exception):
    """The store did not answer in time, or refused. Nothing is known about what it did last."""


class Tally(NamedTuple):
    """What a counter holds at one moment."""

    used: int
    reserved: int
    room_after: int | None = None
    """Of a spent rolling window: the bucket with whose leaving there is room again. None where that helps nothing."""
    burnt: float = 0
    """Spend of late, faded."""
    burnt_at: float = 0

    def burn_rate(self, now: float) -> float:
        """Amount a second, over about the last five minutes."""
        return self.burnt * math.exp(-max(0.0, now - self.burnt_at) / FADES) / FADES


class CallId(NamedTuple):
    """Whose reservation it is: the gateway's id of the request, or where it sends none the lane of calls that ask alike."""

    value: str
    lane: str | None = None


class Hold(NamedTuple):
    """What a call would reserve in one budget, and what it is charged if nobody ever says what it used."""

    budget: Budget
    amount: int
    due: int | None = None
    """None for the same as is reserved."""

    @property
    def owed(self) -> int:
        return self.amount if self.due is None else self.due

    @property
    def blocks(self) -> bool:
        return self.budget.action is Action.BLOCK


class Reserved(NamedTuple):
    """Tallies are as they were before, one for each hold."""

    admitted: bool
    tallies: tuple[Tally, ...]


@dataclass(frozen=True)
class Lapsed:
    """A reservation whose charge never came."""

    call: str
    committed: bool
    """At its estimate; else it was released."""
    note: str


class Store(Protocol):
    """Every method raises StoreAway where the store cannot be used."""

    async def reserve(self, call: CallId, holds: Sequence[Hold], now: float, deadline: float, note: str) -> Reserved:
        """Admit the call and hold what it may cost in each budget, or do nothing. A call that has a reservation keeps it."""

    async def charge(self, call: CallId, amounts: Mapping[Budget, int], now: float) -> bool:
        """Replace what the call reserved by what it has cost; whether that was done now, for it is done once for an id."""

    async def commit(self, call: CallId) -> str | None:
        """Count what the call owes as spent, in place of its reservation; its note, None where nothing was reserved."""

    async def release(self, call: CallId) -> str | None:
        """Give back what the call reserved; its note, None where nothing was reserved."""

    async def expire(self, now: float) -> list[Lapsed]:
        """End the reservations whose deadline has passed, some at a time."""

    async def read(self, budgets: Sequence[Budget], now: float) -> list[Tally]: ...

    async def reset(self, budgets: Sequence[Budget], now: float) -> list[Tally]:
        """Empty the budgets; what each held. What calls under way hold stays held."""

    async def charged_keys(self) -> set[str]:
        """The keys of all budgets that have a counter, in this window or one just past."""

    async def raises(self) -> dict[str, str]:
        """The limits raised for a while: what was kept, by the budget's key."""

    async def keep_raise(self, key: str, kept: str | None) -> None:
        """Keep a raise, or with None forget it."""

    async def ping(self) -> None:
        """Whether calls can be both checked and charged."""
