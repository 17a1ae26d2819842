"""The tightest budget as the last answer's headers had it, until the window that they spoke of is over."""

import time
from collections.abc import Callable

from agents.outcomes import Meter

UNTIL_DOUBTED = 60
"""Seconds for which a meter is believed that does not say when it resets."""

ALMOST_SPENT = 0.8
"""The part of a limit from which on an answer carries a warning."""


class LastMeter:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._meter: Meter | None = None
        self._until = 0.0

    def read(self, meter: Meter) -> None:
        self._meter = meter
        self._until = self._clock() + (meter.reset if meter.reset is not None else UNTIL_DOUBTED)

    @property
    def meter(self) -> Meter | None:
        return self._meter if self._clock() < self._until else None


def is_almost_spent(meter: Meter) -> bool:
    if meter.remaining is None or not meter.limit:
        return False
    return meter.limit - meter.remaining >= ALMOST_SPENT * meter.limit
