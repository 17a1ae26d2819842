"""The key ring: which key is published, which one signs, and which one only stays for the tokens that it has signed.

All of it follows from the order of the keys, three figures of each and the clock, so that replicas and restarts agree:

* next: published, and signs later, once every cache on the way to a verifier must have it. When that is, is said once it is
  published, by who publishes it: whoever adds a key may have another clock, and nobody may be serving at the time
* current: signs
* retiring: signs no more; it stays in the key set until the last token that it may have signed has expired
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import zip_longest

from jwt_issuer.keys.signing_key import SigningKey

LEEWAY = 10
"""Seconds that a retiring key stays beyond its last token, for clocks that differ and signers that have not heard yet."""


class State(StrEnum):
    NEXT = "next"
    CURRENT = "current"
    RETIRING = "retiring"


@dataclass(frozen=True)
class RingKey:
    """Times are in seconds since 1970, None until it is published. `longest_ttl` is in seconds, of the tokens it has signed."""

    signing: SigningKey
    published: int | None = None
    signs_from: int | None = None
    longest_ttl: int = 0

    @property
    def kid(self) -> str:
        return self.signing.kid


@dataclass(frozen=True)
class Place:
    """A key in the ring at some time. `leaves_at` is known once it is known when another key follows it."""

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
        return self.keys[self._current(now)]

    def places(self, now: float) -> Iterator[Place]:
        """Of the keys that verifiers are to know."""
        current = self._current(now)
        for index, (key, follower) in enumerate(zip_longest(self.keys, self.keys[1:])):
            followed = None if follower is None else follower.signs_from
            leaves_at = None if followed is None else followed + key.longest_ttl + LEEWAY
            if index >= current:
                yield Place(key, State.CURRENT if index == current else State.NEXT, leaves_at)
            elif leaves_at is None or leaves_at > now:
                yield Place(key, State.RETIRING, leaves_at)

    def find(self, kid: str, now: float) -> Place | None:
        return next((place for place in self.places(now) if place.key.kid == kid), None)

    def next(self, now: float) -> RingKey | None:
        return next((place.key for place in self.places(now) if place.state is State.NEXT), None)

    def with_next(self, key: SigningKey, now: float) -> "KeyRing":
        """The ring with a key that is to be published. Raises RotationError where another waits, or it is there."""
        if any(each.kid == key.kid for each in self.keys):
            raise RotationError(f"The key {key.kid} is in the ring already. Import another, or rotate without one.")
        waiting = self.next(now)
        if waiting is not None:
            when = "once it is published" if waiting.signs_from is None else f"in {waiting.signs_from - int(now)} s"
            raise RotationError(f"The key {waiting.kid} waits already, and signs {when}. Rotate again after that.")
        return KeyRing((*self.keys, RingKey(key)))

    def announced(self, now: int, overlap: int) -> "KeyRing":
        """The ring whose next key, which is published now, signs in `overlap` seconds; itself where that has been said.

        Never later than that: what a clock ahead of ours has said is said anew.
        """
        waiting = self.next(now)
        if waiting is None or (waiting.signs_from is not None and waiting.signs_from <= now + overlap):
            return self
        announced = replace(waiting, published=now, signs_from=now + overlap)
        return KeyRing(tuple(announced if key is waiting else key for key in self.keys))

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

    def _current(self, now: float) -> int:
        signing = (index for index, key in enumerate(self.keys) if key.signs_from is not None and key.signs_from <= now)
        return max(signing, default=0)
