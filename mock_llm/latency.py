"""How long the mock takes: until the first token, and from one token to the next."""

from collections.abc import Awaitable, Callable
from math import sqrt
from random import Random
from typing import NamedTuple

LONGEST_MS = 600_000
Sleep = Callable[[float], Awaitable[object]]


class Latency(NamedTuple):
    """Means and standard deviations, in milliseconds."""

    ttft_ms: float = 0
    ttft_deviation_ms: float = 0
    itl_ms: float = 0
    itl_deviation_ms: float = 0


class Pace:
    """One answer's delays, in seconds: drawn from normal distributions, and never negative."""

    def __init__(self, latency: Latency, chance: Random) -> None:
        self._latency = latency
        self._chance = chance

    def first(self) -> float:
        return self._drawn(self._latency.ttft_ms, self._latency.ttft_deviation_ms)

    def gap(self, tokens: float) -> float:
        """Between two pieces of a stream that are so many tokens apart, whose delays are independent of one another."""
        return self._drawn(self._latency.itl_ms * tokens, self._latency.itl_deviation_ms * sqrt(tokens))

    def whole(self, tokens: int) -> float:
        """For an answer that comes at once: as long as its stream would have taken."""
        return self.first() + self.gap(max(0, tokens - 1))

    def _drawn(self, mean: float, deviation: float) -> float:
        drawn = self._chance.normalvariate(mean, deviation) if deviation else mean
        return max(0.0, drawn / 1000)
