import pytest

from agents.llm.meter import UNTIL_DOUBTED, LastMeter, is_almost_spent
from agents.outcomes import Meter


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_last_answers_meter_holds_until_its_window_is_over() -> None:
    clock = Clock()
    last = LastMeter(clock)
    assert last.meter is None
    last.read(Meter(5000, 4000, 60))
    clock.now += 59
    assert last.meter == Meter(5000, 4000, 60)
    clock.now += 1
    assert last.meter is None


def test_a_later_answer_takes_its_place() -> None:
    clock = Clock()
    last = LastMeter(clock)
    last.read(Meter(5000, 4000, 60))
    clock.now += 30
    last.read(Meter(5000, 3000, 60))
    clock.now += 59
    assert last.meter == Meter(5000, 3000, 60)


def test_a_meter_whose_window_is_over_is_not_kept() -> None:
    last = LastMeter(Clock())
    last.read(Meter(5000, 4000, 0))
    assert last.meter is None


def test_a_meter_that_does_not_say_when_it_resets_is_believed_for_a_minute() -> None:
    clock = Clock()
    last = LastMeter(clock)
    last.read(Meter(5000, 4000, None))
    clock.now += UNTIL_DOUBTED - 1
    assert last.meter == Meter(5000, 4000, None)
    clock.now += 1
    assert last.meter is None
    assert UNTIL_DOUBTED == 60


@pytest.mark.parametrize(
    ("meter", "almost"),
    [
        (Meter(1000, 201), False),
        (Meter(1000, 200), True),
        (Meter(1000, 0), True),
        (Meter(1000, 1000), False),
        (Meter(1000, 2000), False),
        (Meter(1000, None), False),
        (Meter(None, 0), False),
        (Meter(0, 0), False),
    ],
)
def test_a_budget_is_almost_spent_from_four_fifths_on(meter: Meter, almost: bool) -> None:
    assert is_almost_spent(meter) is almost
