"""The counters in memory, for `budgets simulate`: a whole day of calls in seconds, and no store is needed or touched."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from budgets.budget import Budget
from budgets.stores.store import FADES, CallId, Hold, Lapsed, Reserved, Tally
from budgets.windows import Place


@dataclass
class _Counter:
    buckets: dict[int, int] = field(default_factory=dict)
    reserved: int = 0
    oldest: int | None = None
    resets: int = 0
    burnt: float = 0
    burnt_at: float = 0

    @property
    def used(self) -> int:
        return sum(self.buckets.values())

    def age(self, first: int) -> None:
        if self.oldest is not None and self.oldest < first:
            self.oldest = first
            self.buckets = {bucket: amount for bucket, amount in self.buckets.items() if bucket >= first}

    def spend(self, bucket: int, amount: int) -> int:
        """The bucket that it went into: a clock that was set back must not fill one that has gone."""
        self.oldest = bucket if self.oldest is None else self.oldest
        bucket = max(bucket, self.oldest)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + amount
        return bucket

    def burn(self, amount: int, now: float) -> None:
        faded = self.burnt * math.exp(-max(0.0, now - self.burnt_at) / FADES)
        self.burnt, self.burnt_at = faded + amount, now

    def tally(self, limit: int) -> Tally:
        return Tally(self.used, self.reserved, self._room_after(limit), self.burnt, self.burnt_at)

    def _room_after(self, limit: int) -> int | None:
        left = self.used + self.reserved
        if left < limit:
            return None
        for bucket, amount in sorted(self.buckets.items()):
            left -= amount
            if left < limit:
                return bucket
        return None


@dataclass
class _Reservation:
    counter: _Counter
    amount: int
    due: int
    bucket: int
    committed_at_reset: int | None = None

    def commit(self) -> None:
        self.counter.reserved -= self.amount
        self.amount = self.due
        self.bucket = self.counter.spend(self.bucket, self.due)
        self.committed_at_reset = self.counter.resets

    def undo(self) -> None:
        if self.committed_at_reset is None:
            self.counter.reserved -= self.amount
        elif self.committed_at_reset == self.counter.resets and self.bucket in self.counter.buckets:
            self.counter.buckets[self.bucket] -= self.amount


@dataclass
class _Record:
    reservations: list[_Reservation]
    deadline: float
    note: str
    lane: str | None
    under_way: bool = True


class MemoryStore:
    def __init__(self) -> None:
        self._counters: dict[tuple[str, str], _Counter] = {}
        self._records: dict[str, _Record | None] = {}
        self._lanes: dict[str, list[str]] = {}
        self._raises: dict[str, str] = {}

    async def reserve(self, call: CallId, holds: Sequence[Hold], now: float, deadline: float, note: str) -> Reserved:
        found = [self._aged(hold.budget, hold.budget.window.place(now)) for hold in holds]
        tallies = tuple(counter.tally(hold.budget.limit) for counter, hold in zip(found, holds, strict=True))
        again = call.value in self._records
        spent = any(
            hold.blocks and tally.used + tally.reserved >= hold.budget.limit for hold, tally in zip(holds, tallies, strict=True)
        )
        if spent and not again:
            return Reserved(False, tallies)
        if not again:
            reservations = []
            for counter, hold in zip(found, holds, strict=True):
                counter.reserved += hold.amount
                reservations.append(_Reservation(counter, hold.amount, hold.owed, hold.budget.window.place(now).bucket))
            self._records[call.value] = _Record(reservations, deadline, note, call.lane)
            if call.lane is not None:
                self._lanes.setdefault(call.lane, []).append(call.value)
        return Reserved(True, tallies)

    async def charge(self, call: CallId, amounts: Mapping[Budget, int], now: float) -> bool:
        if call.value in self._records and self._records[call.value] is None:
            return False
        record = self._records.get(call.value) or self._next_in(call.lane)
        self._records[call.value] = None
        for reservation in record.reservations if record else ():
            reservation.undo()
        for budget, amount in amounts.items():
            place = budget.window.place(now)
            counter = self._aged(budget, place)
            counter.spend(place.bucket, amount)
            counter.burn(amount, now)
        return True

    async def commit(self, call: CallId) -> str | None:
        record = self._records.get(call.value)
        if not record or not record.under_way:
            return None
        record.under_way = False
        for reservation in record.reservations:
            reservation.commit()
        return record.note

    async def release(self, call: CallId) -> str | None:
        record = self._records.get(call.value)
        if not record or not record.under_way:
            return None
        self._records[call.value] = None
        for reservation in record.reservations:
            reservation.undo()
        return record.note

    async def expire(self, now: float) -> list[Lapsed]:
        late = [
            (call, record) for call, record in self._records.items() if record and record.under_way and record.deadline <= now
        ]
        lapsed = []
        for call, record in late:
            if record.lane is None:
                await self.commit(CallId(call))
            else:
                await self.release(CallId(call))
                self._lanes[record.lane].remove(call)
                del self._records[call]
            lapsed.append(Lapsed(call, record.lane is None, record.note))
        return lapsed

    async def read(self, budgets: Sequence[Budget], now: float) -> list[Tally]:
        return [self._aged(budget, budget.window.place(now)).tally(budget.limit) for budget in budgets]

    async def reset(self, budgets: Sequence[Budget], now: float) -> list[Tally]:
        tallies = await self.read(budgets, now)
        for budget in budgets:
            counter = self._aged(budget, budget.window.place(now))
            counter.buckets.clear()
            counter.resets += 1
            counter.burnt = 0
        return tallies

    async def charged_keys(self) -> set[str]:
        return {key for _, key in self._counters}

    async def raises(self) -> dict[str, str]:
        return dict(self._raises)

    async def keep_raise(self, key: str, kept: str | None) -> None:
        if kept is None:
            self._raises.pop(key, None)
        else:
            self._raises[key] = kept

    async def ping(self) -> None:
        """It is always there."""

    def _aged(self, budget: Budget, place: Place) -> _Counter:
        counter = self._counters.setdefault((place.span, budget.key), _Counter())
        counter.age(place.first)
        return counter

    def _next_in(self, lane: str | None) -> _Record | None:
        waiting = self._lanes.get(lane, []) if lane is not None else []
        return self._records.pop(waiting.pop(0)) if waiting else None
