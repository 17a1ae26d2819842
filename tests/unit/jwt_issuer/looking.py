"""An upkeep that a test lets look as often as it likes."""

from collections.abc import Callable

from jwt_issuer.tokens import Subject
from jwt_issuer.upkeep import LOOK_EVERY, Upkeep

from .rings import Clock

OVERLAP = 1200
TTL = 600
SUBJECTS = (Subject("dba", "dba"), Subject("alice", "dba"), Subject("bob", "dba"))


def looks(upkeep: Upkeep, clock: Clock, seconds: float, each: Callable[[], None] = lambda: None) -> None:
    """As many as there are in so many seconds."""
    for _ in range(int(seconds / LOOK_EVERY)):
        clock.now += LOOK_EVERY
        upkeep.look()
        each()
