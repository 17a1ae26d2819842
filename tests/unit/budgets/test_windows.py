from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from budgets.windows import SECONDS, FixedWindow, RollingWindow, Unit, Window

ROLLING = (Unit.DAY, Unit.WEEK, Unit.MONTH, Unit.YEAR)

moments = st.floats(min_value=0, max_value=4e9)
late_moments = st.floats(min_value=1e9, max_value=4e9)


def at(text: str, zone: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


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
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_each_unit_is_aligned_to_the_calendar_of_its_zone(unit: Unit, start: str, end: str, zone: str) -> None:
    bounds = FixedWindow(unit, zone).bounds(at("2026-02-28T23:59:58.5", zone))
    assert bounds == (at(start, zone), at(end, zone))


def test_a_month_of_december_ends_in_january() -> None:
    assert FixedWindow(Unit.MONTH).bounds(at("2026-12-31T12:00:00"))[1] == at("2027-01-01T00:00:00")


def test_a_leap_year_has_its_day() -> None:
    start, end = FixedWindow(Unit.YEAR).bounds(at("2028-02-29T12:00:00"))
    assert end - start == 366 * 86_400
    assert FixedWindow(Unit.MONTH).bounds(at("2028-02-29T12:00:00"))[1] == at("2028-03-01T00:00:00")


@pytest.mark.parametrize(
    ("zone", "moment", "hours"),
    [
        ("Europe/Berlin", "2026-03-29T12:00:00", 23),
        ("Europe/Berlin", "2026-10-25T12:00:00", 25),
        ("America/New_York", "2026-03-08T12:00:00", 23),
        ("America/New_York", "2026-11-01T12:00:00", 25),
        ("Africa/Cairo", "2026-04-24T12:00:00", 23),
        ("Australia/Lord_Howe", "2026-10-04T12:00:00", 23.5),
        ("Asia/Kolkata", "2026-10-25T12:00:00", 24),
    ],
)
def test_a_day_in_which_the_clocks_change_is_as_long_as_it_is(zone: str, moment: str, hours: float) -> None:
    start, end = FixedWindow(Unit.DAY, zone).bounds(at(moment, zone))
    assert end - start == hours * 3_600
    assert start == at(moment[:10], zone)


@pytest.mark.parametrize(("zone", "moment", "hours"), [("Europe/Berlin", "2026-03-25T00:30:00", 7 * 24 - 1)])
def test_a_week_in_which_the_clocks_change_ends_on_monday_all_the_same(zone: str, moment: str, hours: int) -> None:
    start, end = FixedWindow(Unit.WEEK, zone).bounds(at(moment, zone))
    assert (end - start) / 3_600 == hours
    assert (start, end) == (at("2026-03-23", zone), at("2026-03-30", zone))


@pytest.mark.parametrize("fold", [0, 1])
def test_the_hour_that_comes_twice_is_two_hours(fold: int) -> None:
    zone = "Europe/Berlin"
    start, end = FixedWindow(Unit.HOUR, zone).bounds(at("2026-10-25T02:30:00", zone, fold))
    assert (start, end) == (at("2026-10-25T02:00:00", zone, fold), at("2026-10-25T02:00:00", zone, fold) + 3_600)


@pytest.mark.parametrize("fold", [0, 1])
def test_a_day_whose_midnight_comes_twice_starts_at_the_first_one(fold: int) -> None:
    zone = "America/Havana"
    start, end = FixedWindow(Unit.DAY, zone).bounds(at("2026-11-01T00:30:00", zone, fold))
    assert (start, end - start) == (at("2026-11-01T00:00:00", zone, fold=0), 25 * 3_600)


@pytest.mark.parametrize(("zone", "minute"), [("Asia/Kolkata", 30), ("Asia/Kathmandu", 15), ("Australia/Adelaide", 30)])
def test_in_a_zone_that_is_off_by_part_of_an_hour_an_hour_starts_when_its_clocks_say_so(zone: str, minute: int) -> None:
    start, _ = FixedWindow(Unit.HOUR, zone).bounds(at("2026-05-05T05:59:59", zone))
    assert start == at("2026-05-05T05:00:00", zone)
    assert datetime.fromtimestamp(start, UTC).minute == minute


def test_a_day_ends_at_another_moment_in_each_zone() -> None:
    moment = at("2026-11-21T23:30:00")
    ends = {zone: FixedWindow(Unit.DAY, zone).bounds(moment)[1] for zone in ("UTC", "Europe/Berlin", "America/New_York")}
    assert {zone: datetime.fromtimestamp(end, UTC).isoformat() for zone, end in ends.items()} == {
        "UTC": "2026-11-22T00:00:00+00:00",
        "Europe/Berlin": "2026-11-22T23:00:00+00:00",
        "America/New_York": "2026-11-22T05:00:00+00:00",
    }


@given(st.sampled_from(Unit), moments)
def test_a_moment_lies_in_its_window_and_the_next_window_follows_at_once(unit: Unit, now: float) -> None:
    window = FixedWindow(unit)
    start, end = window.bounds(now)
    assert start <= now < end
    assert window.bounds(end)[0] == end
    assert window.bounds(start)[0] == start


@example(Unit.HOUR, at("2026-04-05T01:45:00", "Australia/Lord_Howe", fold=1), "Australia/Lord_Howe")
@example(Unit.DAY, at("2026-04-24T01:30:00", "Africa/Cairo"), "Africa/Cairo")
@given(st.sampled_from(Unit), late_moments, st.sampled_from(sorted(available_timezones())))
def test_a_moment_lies_in_its_window_in_every_zone(unit: Unit, now: float, zone: str) -> None:
    start, end = FixedWindow(unit, zone).bounds(now)
    assert start <= now < end


@given(st.sampled_from(Unit), moments)
def test_whoever_waits_for_the_life_of_a_window_is_in_the_next_one(unit: Unit, now: float) -> None:
    window = FixedWindow(unit)
    end, life = window.bounds(now)[1], window.place(now).life
    assert life >= 1
    assert now + life >= end
    assert life - 1 <= end - now
    assert window.resets_at(now, None) == end


@given(st.sampled_from(Unit), late_moments)
def test_spend_of_two_fixed_windows_never_meets(unit: Unit, now: float) -> None:
    window = FixedWindow(unit)
    here, there = window.place(now), window.place(window.bounds(now)[1])
    assert here.span != there.span
    assert (here.bucket, here.first) == (0, 0)
    assert here.span == window.place(window.bounds(now)[0]).span


def test_a_window_has_a_name_of_its_own() -> None:
    windows: list[Window] = [
        *(FixedWindow(unit, zone) for unit in Unit for zone in ("UTC", "Europe/Berlin", "Asia/Kolkata")),
        *(RollingWindow(unit) for unit in Unit),
    ]
    assert len({window.name for window in windows}) == len(windows)
    assert FixedWindow(Unit.DAY).name == "day"
    assert {window.alignment for window in windows} == {"calendar", "rolling"}


def counts(window: RollingWindow, spent: float, now: float) -> bool:
    return window.place(spent).bucket >= window.place(now).first


@given(st.sampled_from(ROLLING), late_moments)
def test_spend_counts_for_one_window_at_least_and_one_step_more_at_most(unit: Unit, spent: float) -> None:
    window = RollingWindow(unit)
    assert counts(window, spent, spent)
    assert counts(window, spent, spent + window.length)
    assert not counts(window, spent, spent + window.length + window.step)


@given(st.sampled_from(ROLLING), late_moments)
def test_spend_has_left_at_the_second_that_is_told_and_not_before(unit: Unit, spent: float) -> None:
    window = RollingWindow(unit)
    gone = window.resets_at(spent, window.place(spent).bucket)
    assert not counts(window, spent, gone)
    assert counts(window, spent, gone - 1)
    assert counts(window, spent, gone - 0.001)


@given(st.sampled_from(ROLLING), late_moments, st.floats(min_value=0, max_value=1))
def test_without_a_bucket_the_reset_is_when_all_that_is_spent_by_now_has_left(unit: Unit, now: float, share: float) -> None:
    window = RollingWindow(unit)
    earlier = now - share * window.length
    assert not counts(window, earlier, window.resets_at(now, None))
    assert counts(window, now, window.resets_at(now, None) - 1)


@given(st.sampled_from(Unit), late_moments)
def test_a_counter_lives_as_long_as_spend_of_this_moment_counts(unit: Unit, now: float) -> None:
    for window in (RollingWindow(unit), FixedWindow(unit)):
        place = window.place(now)
        assert now + place.life >= window.resets_at(now, place.bucket)


@pytest.mark.parametrize("unit", ROLLING)
def test_a_rolling_window_forgets_in_a_hundred_steps(unit: Unit) -> None:
    window = RollingWindow(unit)
    assert window.step * 100 == window.length == SECONDS[unit]
    place = window.place(1e9)
    assert place.bucket - place.first <= 101
    assert place.span == ""


def test_a_rolling_month_looks_back_thirty_days() -> None:
    assert RollingWindow(Unit.MONTH).length == timedelta(days=30).total_seconds()
