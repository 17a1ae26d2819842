"""The key ring: which key is published, which one signs, and which one only stays for the tokens that it has signed.

All of it follows from four figures of each key and the clock, so that replicas and restarts agree without a word:

* next: published, and signs later, once every cache on the way to a verifier must have it
* current: signs
* retiring: signs no more; it stays in the key set until the last token that it may have signed has expired
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from jwt_issuer.keys.signing_key import SigningKey

LEEWAY = 10
"""Seconds that a retiring key stays beyond its last token, for clocks that differ and signers that have not heard yet."""


class State(StrEnum):
    NEXT = "next"
    CURRENT = "current"
    RETIRING = "retiring"


@dataclass(frozen=True)
class RingKey:
    """Times are in seconds since 1970. `longest_ttl` is in seconds, of the tokens that it has signed."""

    signing: SigningKey
    published: int
    signs_from: int
    longest_ttl: int = 0

    @property
    def kid(self) -> str:
        return self.signing.kid


@dataclass(frozen=True)
class Place:
    """A key in the ring at some time. `leaves_at` is known once another key is to follow it."""

    key: RingKey
    state: State
    leaves_at: int | None


class RotationError(ValueError):
    """A key that cannot be added; the text is a sentence, and one that says what to do."""


@dataclass(frozen=True)
class KeyRing:
    """Keys in the order in which they sign; never empty."""

    keys: tuple[RingKey, ...]

    @classmethod
    def of(cls, key: SigningKey, now: int) -> "KeyRing":
        return cls((RingKey(key, now, now),))

    def current(self, now: float) -> RingKey:
        """The one that signs; the first, where the clock has been set back to before it did."""
        return next((key for key in reversed(self.keys) if key.signs_from <= now), self.keys[0])

    def places(self, now: float) -> Iterator[Place]:
        """Of the keys that verifiers are to know."""
        current = self.current(now)
        for index, key in enumerate(self.keys):
            follower = self.keys[index + 1] if index + 1 < len(self.keys) else None
            leaves_at = follower.signs_from + key.longest_ttl + LEEWAY if follower else None
            if key is current:
                yield Place(key, State.CURRENT, leaves_at)
            elif key.signs_from > current.signs_from:
                yield Place(key, State.NEXT, leaves_at)
            elif leaves_at is None or leaves_at > now:
                yield Place(key, State.RETIRING, leaves_at)

    def find(self, kid: str, now: float) -> Place | None:
        return next((place for place in self.places(now) if place.key.kid == kid), None)

    def with_next(self, key: SigningKey, now: int, overlap: int) -> "KeyRing":
        """The key published now, to sign in `overlap` seconds. Raises RotationError where another waits, or it is there."""
        if any(each.kid == key.kid for each in self.keys):
            raise RotationError(f"The key {key.kid} is in the ring already. Import another, or rotate without one.")
        waiting = next((place.key for place in self.places(now) if place.state is State.NEXT), None)
        if waiting is not None:
            raise RotationError(
                f"The key {waiting.kid} waits already, and signs in {waiting.signs_from - now} s. Rotate again after that."
            )
        # Behind the current one also where that was made by a clock that has been set back since.
        signs_from = max(now, self.current(now).signs_from) + overlap
        return KeyRing((*self.keys, RingKey(key, now, signs_from)))

    def signing_for(self, ttl: int, now: float) -> "KeyRing":
        """The ring in which the current key is known to sign tokens of that lifetime; itself where that is known."""
        current = self.current(now)
        if current.longest_ttl >= ttl:
            return self
        return KeyRing(tuple(replace(key, longest_ttl=ttl) if key is current else key for key in self.keys))

    def without_expired(self, now: float) -> "KeyRing":
        """Without the keys whose last token has expired; itself where there is none."""
        places = {place.key.kid for place in self.places(now)}
        kept = tuple(key for key in self.keys if key.kid in places)
        return self if len(kept) == len(self.keys) else KeyRing(kept)
