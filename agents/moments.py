"""Moments and spans of time, as a person reads them."""

from datetime import UTC, datetime, timedelta


def clock(at: datetime, now: datetime) -> str:
    """Hours and minutes, never early: a reset in seconds rarely falls on a whole minute."""
    at = at.astimezone(UTC).replace(microsecond=0)
    if at.second:
        at = at.replace(second=0) + timedelta(minutes=1)
    day = "" if at.date() == now.astimezone(UTC).date() else f" on {at.day} {at:%B %Y}"
    return f"{at:%H:%M} UTC{day}"


def duration(seconds: float) -> str:
    if seconds < 60:
        return _plural(max(1, round(seconds)), "second")
    if seconds < 90 * 60:
        return _plural(round(seconds / 60), "minute")
    if seconds < 36 * 3600:
        return _plural(round(seconds / 3600), "hour")
    return _plural(round(seconds / 86_400), "day")


def _plural(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
