from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.windows import window_at
from service.rate_limit_config import Unit


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("unit", "start", "end"),
    [
        (Unit.SECOND, "2026-02-28T23:59:58", "2026-02-28T23:59:59"),
        (Unit.MINUTE, "2026-02-28T23:59:00", "2026-03-01T00:00:00"),
        (Unit.HOUR, "2026-02-28T23:00:00", "2026-03-01T00:00:00"),
        (Unit.DAY, "2026-02-28T00:00:00", "2026-03-01T00:00:00"),
        (Unit.WEEK, "2026-02-23T00:00:00", "2026-03-02T00:00:00"),
        (Unit.MONTH, "2026-02-01T00:00:00", "2026-03-01T00:00:00"),
        (Unit.YEAR, "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
    ],
)
def test_each_unit_is_aligned_to_utc(unit: Unit, start: str, end: str) -> None:
    window = window_at(unit, at("2026-02-28T23:59:58.5"))
    assert (window.start, window.end) == (at(start), at(end))


def test_a_month_of_december_ends_in_january() -> None:
    assert window_at(Unit.MONTH, at("2026-12-31T12:00:00")).end == at("2027-01-01T00:00:00")


@given(st.sampled_from(Unit), st.floats(min_value=0, max_value=4e9))
def test_a_moment_lies_in_its_window_and_the_next_window_follows_at_once(unit: Unit, now: float) -> None:
    window = window_at(unit, now)
    assert window.start <= now < window.end
    assert window_at(unit, window.end).start == window.end


@given(st.sampled_from(Unit), st.floats(min_value=0, max_value=4e9))
def test_whoever_waits_the_seconds_left_is_in_the_next_window(unit: Unit, now: float) -> None:
    window = window_at(unit, now)
    left = window.seconds_left(now)
    assert left >= 1
    assert now + left >= window.end
    assert left - 1 <= window.end - now
