"""What the issuer does by itself for as long as it runs: look at the keys, rotate them when it is time, renew the tokens."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.keys.ring import KeyRing, RotationError
from jwt_issuer.keys.signing_key import SigningKey
from jwt_issuer.stores import Leadership, StoreError, TokenStore
from jwt_issuer.tokens import Mint, Subject

logger = logging.getLogger(__name__)

LOOK_EVERY = 2.0
"""Seconds between two looks at the keys, which somebody else may have rotated, and at who leads."""
TOKENS_EVERY = 30.0
"""Seconds between two looks at the tokens: that soon a machine that was suspended, or whose clock was set, has them renewed."""


@dataclass
class Upkeep:
    """`rotate_every` and `overlap` are in seconds.

    `clock` tells seconds since 1970. `sleep` takes seconds.
    """

    keychain: Keychain
    tokens: TokenStore
    mint: Mint
    subjects: tuple[Subject, ...]
    leadership: Leadership
    overlap: int
    rotate_every: int | None = None
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    failures: int = field(default=0, init=False)
    expiries: dict[str, int] = field(default_factory=dict, init=False)
    """By subject, of the tokens that this replica looks after, in seconds since 1970."""
    _looked: tuple[float, KeyRing] | None = field(default=None, init=False)

    def look(self) -> None:
        """One round; the next one tries again what failed, and what failed keeps nothing else back. Raises StoreError."""
        # First, for a replica that cannot ask who leads is to know of a rotation all the same.
        self.keychain.refresh()
        if not self.leadership.leads():
            self.expiries.clear()
            self._looked = None
            return
        failed: list[StoreError] = []
        for step in (self._keep_keys, self._publish, self._keep_tokens):
            try:
                step()
            except StoreError as error:
                failed.append(error)
        if failed:
            raise failed[0]

    async def run(self) -> None:
        """Look for ever. What fails is logged, and tried again at the next look."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except Exception as error:
                # Whatever it is: if this task ended, nobody would notice until the tokens expire.
                self.failures += 1
                logger.error("The keys or tokens could not be kept up, which will be tried again: %s", error)
            await self.sleep(LOOK_EVERY)

    def _keep_keys(self) -> None:
        now = int(self.clock())
        if self.keychain.ring.without_expired(now) is not self.keychain.ring:
            self.keychain.change(lambda ring: ring.without_expired(now))
            logger.info("Removed the keys whose last token has expired.")
        if self._is_time_to_rotate(now):
            try:
                self.keychain.change(lambda ring: ring.with_next(SigningKey.generate(), now))
            except RotationError as error:
                logger.info("Somebody else was first to rotate: %s", error)

    def _is_time_to_rotate(self, now: int) -> bool:
        ring = self.keychain.ring
        if self.rotate_every is None or ring.next(now) is not None:
            return False
        return (ring.current(now).signs_from or 0) + self.rotate_every <= now + self.overlap

    def _publish(self) -> None:
        """A key is to sign only after all who verify can have it, so its time runs from here, and not where this fails."""
        self.tokens.publish(self.keychain.key_set())
        now = int(self.clock())
        if self.keychain.ring.announced(now, self.overlap) is not self.keychain.ring:
            self.keychain.change(lambda ring: ring.announced(now, self.overlap))
            logger.info("Published the next key, which signs in %d s.", self.overlap)

    def _keep_tokens(self) -> None:
        if self._tokens_are_due():
            self._renew()
            self._looked = (self.clock(), self.keychain.ring)

    def _tokens_are_due(self) -> bool:
        if self._looked is None:
            return True
        at, ring = self._looked
        # Another ring may lack the key that signed them. A clock that was set back left tokens that are not valid yet.
        return not 0 <= self.clock() - at < min(TOKENS_EVERY, self.mint.ttl / 2) or ring != self.keychain.ring

    def _renew(self) -> None:
        """Everyone's, also where the token of one cannot be kept; what that was is raised at the end."""
        failed: list[StoreError] = []
        written: list[str] = []
        for subject in self.subjects:
            # A round over a long list takes longer than a lease.
            if not (self.leadership.holds or self.leadership.leads()):
                raise StoreError("This replica has stopped to lead in the middle of its round. Another goes on.")
            try:
                if self._renew_for(subject):
                    written.append(subject.name)
            except StoreError as error:
                failed.append(error)
        if written:
            logger.info("Wrote %d tokens, valid for %d s: %s.", len(written), self.mint.ttl, ", ".join(written)[:400])
        if failed:
            raise failed[0]
        self.tokens.keep_only(frozenset(subject.name for subject in self.subjects))

    def _renew_for(self, subject: Subject) -> bool:
        token = self.tokens.token(subject.name)
        due = token is None or not self.mint.is_fresh(token, subject)
        if token is None or due:
            token = self.mint.token(subject)
            self.tokens.put(subject.name, subject.team, token)
        self.expiries[subject.name] = self.mint.expiry(token, subject) or 0
        return due
