"""Fixed windows, aligned to UTC: an hour starts at :00, a week on Monday, a month on the 1st."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from service.rate_limit_config import Unit


@dataclass(frozen=True)
class Window:
    """A half-open span of time, in whole seconds since the epoch."""

    start: int
    end: int

    def seconds_left(self, now: float) -> int:
        """Whole seconds until the window ends, rounded up, so that a caller who waits that long is not early."""
        return max(1, -int(-(self.end - now) // 1))


_FIXED = {Unit.SECOND: 1, Unit.MINUTE: 60, Unit.HOUR: 3600, Unit.DAY: 86400}


def window_at(unit: Unit, now: float) -> Window:
    seconds = _FIXED.get(unit)
    if seconds:
        start = int(now // seconds) * seconds
        return Window(start, start + seconds)
    return _calendar_window(unit, datetime.fromtimestamp(now, UTC))


def _calendar_window(unit: Unit, now: datetime) -> Window:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit is Unit.WEEK:
        start = midnight - timedelta(days=midnight.weekday())
        end = start + timedelta(days=7)
    elif unit is Unit.MONTH:
        start = midnight.replace(day=1)
        end = (start + timedelta(days=32)).replace(day=1)
    else:
        start = midnight.replace(month=1, day=1)
        end = start.replace(year=start.year + 1)
    return Window(int(start.timestamp()), int(end.timestamp()))
