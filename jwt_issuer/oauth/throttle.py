"""Slows whoever guesses: after a few failures in a row each next one costs a wait, which doubles."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE = 5
"""Failures in a row that no wait follows."""

LONGEST_WAIT = 60.0
FORGOTTEN_AFTER = 15 * 60.0
"""Seconds, since the last failure."""

MOST_GUESSERS = 10_000

_LONGEST_ADDRESS = 64
_LONGEST_ID = 129
"""One more than a client's id may have, so that a longer name is not taken for that of a client."""


@dataclass(frozen=True)
class Guesser:
    """Who tries, and as whom. By the address too, so that a stranger's guesses do not lock a client out."""

    address: str
    client_id: str

    @classmethod
    def of(cls, address: str, client_id: str) -> "Guesser":
        """Cut, so that strangers cannot fill the memory with long names."""
        return cls(address[:_LONGEST_ADDRESS], client_id[:_LONGEST_ID])


@dataclass
class _Failures:
    count: int
    last: float

    @property
    def wait(self) -> float:
        beyond = self.count - FREE
        # 2 ** 10 is beyond the longest wait, and the power of a count that has no end is not to be computed.
        return min(LONGEST_WAIT, 2.0 ** min(beyond - 1, 10)) if beyond > 0 else 0.0


class Throttle:
    """Remembers the failures of the most recent guessers. `clock` tells seconds, and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[Guesser, _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def wait(self, guesser: Guesser) -> float:
        """Seconds until this one may try again; 0 for now."""
        failures = self._remembered(guesser)
        return max(0.0, failures.last + failures.wait - self._clock()) if failures else 0.0

    def failed(self, guesser: Guesser) -> int:
        """How many times in a row by now."""
        before = self._remembered(guesser)
        failures = _Failures((before.count if before else 0) + 1, self._clock())
        self._failures[guesser] = failures
        self._failures.move_to_end(guesser)
        if len(self._failures) > MOST_GUESSERS:
            self._failures.popitem(last=False)
        return failures.count

    def succeeded(self, guesser: Guesser) -> None:
        self._failures.pop(guesser, None)

    def _remembered(self, guesser: Guesser) -> _Failures | None:
        failures = self._failures.get(guesser)
        if failures and self._clock() - failures.last >= FORGOTTEN_AFTER:
            del self._failures[guesser]
            return None
        return failures
