"""Keys, a clock that the test sets, and a key store in memory that can go away."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from jwt_issuer.keys.ring import KeyRing
from jwt_issuer.keys.signing_key import SigningKey
from jwt_issuer.stores import StoreAwayError, StoreError

START = 1_700_000_000


@cache
def a_key(number: int) -> SigningKey:
    """The same for the same number: a key takes a tenth of a second to make."""
    return SigningKey.generate()


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now


@dataclass
class RingStore:
    """A KeyStore. One that is full can be read and not written."""

    ring: KeyRing | None = None
    away: bool = False
    full: bool = False
    updates: list[KeyRing] = field(default_factory=list)
    """The rings that were written."""

    @classmethod
    def with_first(cls, key: SigningKey, clock: Clock) -> "RingStore":
        return cls(KeyRing.of(key, int(clock.now)))

    def read(self) -> KeyRing | None:
        self._answer()
        return self.ring

    def update(self, change: Callable[[KeyRing | None], KeyRing]) -> KeyRing:
        self._answer()
        after = change(self.ring)
        if after is not self.ring:
            if self.full:
                raise StoreError("The store is full. Make room.")
            self.updates.append(after)
        self.ring = after
        return after

    def _answer(self) -> None:
        if self.away:
            raise StoreAwayError("The store is away. Wait.")
