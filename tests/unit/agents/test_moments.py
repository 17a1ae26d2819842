from datetime import datetime, timedelta

import pytest

from agents.moments import clock, duration
from tests.unit.agents.doubles import NOON


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (timedelta(0), "14:40 UTC"),
        (timedelta(milliseconds=1), "14:40 UTC"),
        (timedelta(seconds=1), "14:41 UTC"),
        (timedelta(seconds=60), "14:41 UTC"),
        (timedelta(hours=9, minutes=19, seconds=59), "00:00 UTC on 22 November 2026"),
        (timedelta(days=10), "14:40 UTC on 1 December 2026"),
        (timedelta(days=365), "14:40 UTC on 21 November 2027"),
    ],
)
def test_a_moment_is_told_in_minutes_and_never_early(left: timedelta, told: str) -> None:
    assert clock(NOON + left, NOON) == told


def test_days_are_those_of_utc() -> None:
    late = datetime.fromisoformat("2026-11-22T00:30:00+01:00")
    assert clock(late, NOON) == "23:30 UTC"
    assert clock(NOON, late) == "14:40 UTC"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.01, "1 second"),
        (1.4, "1 second"),
        (45, "45 seconds"),
        (60, "1 minute"),
        (1199.8, "20 minutes"),
        (89 * 60, "89 minutes"),
        (90 * 60, "2 hours"),
        (35 * 3600, "35 hours"),
        (36 * 3600, "2 days"),
        (10 * 86_400, "10 days"),
    ],
)
def test_a_span_is_told_in_one_unit(seconds: float, told: str) -> None:
    assert duration(seconds) == told
