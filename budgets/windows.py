"""Windows: the span of time over which a budget adds up.

A fixed window starts and ends at a boundary of the calendar. A rolling one looks back from now: spend leaves it step by
step, in a hundred steps a window, and never early. What was spent at one moment counts for one window at least and for one
window and one step at most, so a rolling budget is at most 1 % of its window late, and never lax.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cached_property, lru_cache
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo


class Unit(Enum):
    """How long a window is; the names are those of envoyproxy/ratelimit and of RateLimitConfig."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


SECONDS = {
    Unit.SECOND: 1,
    Unit.MINUTE: 60,
    Unit.HOUR: 3600,
    Unit.DAY: 86400,
    Unit.WEEK: 7 * 86400,
    Unit.MONTH: 30 * 86400,
    Unit.YEAR: 365 * 86400,
}
"""How long a rolling window looks back; a fixed month or year is as long as the calendar says."""

STEPS = 100
"""Steps in which a rolling window forgets."""


class Place(NamedTuple):
    """Where spend of this moment is kept, in the store's terms: buckets of one counter, numbered by time."""

    span: str
    """Which of the budget's counters: the start of a fixed window; empty for a rolling one, which has one counter."""
    bucket: int
    """The bucket that takes spend of this moment."""
    first: int
    """The oldest bucket that still counts."""
    life: int
    """Seconds for which the counter is of use."""


class Window(Protocol):
    @property
    def unit(self) -> Unit: ...

    @property
    def alignment(self) -> str:
        """`rolling` or `calendar`."""

    @property
    def name(self) -> str:
        """Tells it from every other window, and is part of a counter's key."""

    def place(self, now: float) -> Place: ...

    def resets_at(self, now: float, bucket: int | None) -> int:
        """When a spent budget has room again, in seconds since the epoch: once `bucket` and all before it have left.

        Without a bucket: when all that is spent until now has left.
        """


@dataclass(frozen=True)
class FixedWindow:
    """Aligned to the calendar of a time zone: an hour starts at :00, a week on Monday, a month on the 1st."""

    unit: Unit
    zone: str = "UTC"
    alignment: str = "calendar"

    @property
    def name(self) -> str:
        return self.unit.value if self.zone == "UTC" else f"{self.unit.value}@{self.zone}"

    def place(self, now: float) -> Place:
        start, end = self.bounds(now)
        return Place(str(start), 0, 0, _whole(end - now))

    def resets_at(self, now: float, bucket: int | None) -> int:
        return self.bounds(now)[1]

    def bounds(self, now: float) -> tuple[int, int]:
        """Its start and its end, which belongs to the next one, in seconds since the epoch."""
        if self.unit in _SAME_EVERYWHERE:
            seconds = SECONDS[self.unit]
            start = int(now // seconds) * seconds
            return start, start + seconds
        return _bounds(self.unit, self.zone, int(now // 60))


@dataclass(frozen=True)
class RollingWindow:
    unit: Unit
    alignment: str = "rolling"

    @property
    def name(self) -> str:
        return f"rolling-{self.unit.value}"

    @cached_property
    def length(self) -> int:
        return SECONDS[self.unit]

    @cached_property
    def step(self) -> int:
        return max(1, self.length // STEPS)

    def place(self, now: float) -> Place:
        return Place("", int(now // self.step), int((now - self.length) // self.step), self.length + self.step)

    def resets_at(self, now: float, bucket: int | None) -> int:
        last = int(now // self.step) if bucket is None else bucket
        return (last + 1) * self.step + self.length


_SAME_EVERYWHERE = {Unit.SECOND, Unit.MINUTE}
"""Zones differ by whole minutes, so these start at the same moment in all of them."""


@lru_cache(1000)
def _bounds(unit: Unit, zone: str, minute: int) -> tuple[int, int]:
    first, after = _calendar(unit, datetime.fromtimestamp(minute * 60, ZoneInfo(zone)))
    return int(first.timestamp()), int(after.timestamp())


def _calendar(unit: Unit, now: datetime) -> tuple[datetime, datetime]:
    """Local time, so a day in which the clocks change has 23 or 25 hours."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    match unit:
        case Unit.HOUR:
            start = now.astimezone(UTC) - timedelta(minutes=now.minute, seconds=now.second, microseconds=now.microsecond)
            return start, start + timedelta(hours=1)
        case Unit.DAY:
            return midnight, midnight + timedelta(days=1)
        case Unit.WEEK:
            start = midnight - timedelta(days=midnight.weekday())
            return start, start + timedelta(days=7)
        case Unit.MONTH:
            start = midnight.replace(day=1)
            return start, (start + timedelta(days=32)).replace(day=1)
        case _:
            start = midnight.replace(month=1, day=1)
            return start, start.replace(year=start.year + 1)


def _whole(seconds: float) -> int:
    """Rounded up, so that a caller who waits that long is not early; one at least."""
    return max(1, -int(-seconds // 1))
