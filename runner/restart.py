"""How often, and how soon, a program that died is started again."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Restart:
    """The decision to start it again: the `number`th restart `of` those allowed, `after` some seconds."""

    number: int
    of: int
    after: float


def doubling(number: int) -> float:
    """Seconds before the nth restart: none before the first, then 0.2, 0.4, 0.8 ... and at most 3."""
    return 0.0 if number <= 1 else min(3.0, 0.1 * 2.0 ** min(number - 1, 10))


@dataclass(frozen=True)
class RestartPolicy:
    """At most `restarts` within `window` seconds of `clock`, with a pause of `backoff(number)` seconds before each."""

    restarts: int = 5
    window: float = 60.0
    backoff: Callable[[int], float] = doubling
    clock: Callable[[], float] = time.monotonic


class Restarts:
    """The restarts of one program, counted against a policy.

    Restarts that never brought it back count for as long as it takes: a program that hangs until the deadline each time
    would otherwise stay under "5 in 60 s" for ever.
    """

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._counted: list[float] = []
        self._came_back = True

    def another(self) -> Restart | None:
        """The restart to make now, or None when there have been too many."""
        now = self._policy.clock()
        if self._came_back:
            self._counted = [then for then in self._counted if now - then < self._policy.window]
        if len(self._counted) >= self._policy.restarts:
            return None
        self._counted.append(now)
        self._came_back = False
        number = len(self._counted)
        return Restart(number, self._policy.restarts, self._policy.backoff(number))

    def came_back(self) -> None:
        self._came_back = True
