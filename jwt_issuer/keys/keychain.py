"""The key ring in this process, and the tokens that it signs (RFC 7519)."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt

from jwt_issuer.keys.ring import KeyRing, State
from jwt_issuer.keys.signing_key import ALGORITHM, SigningKey
from jwt_issuer.stores import KeyStore, StoreAwayError

logger = logging.getLogger(__name__)


class Keychain:
    """The ring as it was when last read; another process may rotate it, so `refresh` is to be called every few seconds.

    A store that is away leaves the ring as it was: its keys verify, and sign for `overlap` seconds more. After that another key
    may sign that this process has not heard of, and what it signed itself could outlive its key.

    `clock` tells seconds since 1970.
    """

    def __init__(self, store: KeyStore, clock: Callable[[], float] = time.time, overlap: float = float("inf")) -> None:
        """Makes a key where there is none. Raises StoreError."""
        self._store = store
        self._clock = clock
        self._overlap = overlap
        self._heard = clock()
        self._changing = threading.Lock()
        self._has_read = False
        self._ring = self._read()
        self._has_read = True

    @property
    def ring(self) -> KeyRing:
        return self._ring

    def refresh(self) -> None:
        """Raises StoreError."""
        with self._changing:
            asked = self._clock()
            self._ring = self._read()
            self._heard = asked

    def key_set(self) -> bytes:
        """The public keys, the one that signs first, as a JSON Web Key Set."""
        places = sorted(self._ring.places(self._clock()), key=lambda place: place.state is not State.CURRENT)
        return json.dumps({"keys": [place.key.signing.jwk for place in places]}).encode()

    def sign(self, claims: Mapping[str, Any], ttl: int) -> str:
        """A compact JWS of the claims with `iat` and `exp`, by the current key. `ttl` is in seconds.

        Raises StoreError where the key is to be kept longer for this token than it is known to be, and nobody can be told; and
        where it is not known which key signs by now.
        """
        now = self._clock()
        if now - self._heard > self._overlap:
            raise StoreAwayError("The keys could not be read for longer than the overlap of a rotation, so none of them signs.")
        ring = self._ring
        if ring.signing_for(ttl, now) is not ring:
            ring = self.change(lambda stored: stored.signing_for(ttl, now))
        key = ring.current(now).signing
        stamped = {**claims, "iat": int(now), "exp": int(now) + ttl}
        # PyJWT writes `typ: JWT` itself.
        return jwt.encode(stamped, key.private, algorithm=ALGORITHM, headers={"kid": key.kid})

    def verify(self, token: str, **expected: Any) -> dict[str, Any]:
        """The claims. `expected` is what PyJWT checks, such as `audience` and `issuer`. Raises jwt.InvalidTokenError."""
        now = self._clock()
        kid = jwt.get_unverified_header(token).get("kid")
        place = self._ring.find(kid, now) if isinstance(kid, str) else None
        if place is None:
            raise jwt.InvalidTokenError("it is signed by a key that is not in the key set")
        public = place.key.signing.private.public_key()
        claims: dict[str, Any] = jwt.decode(token, public, algorithms=[ALGORITHM], **expected)
        return claims

    def change(self, change: Callable[[KeyRing], KeyRing]) -> KeyRing:
        """The ring as it is then. Raises StoreError, and what `change` raises."""
        with self._changing:
            asked = self._clock()
            self._ring = self._store.update(lambda stored: change(self._or_first(stored)))
            self._heard = asked
            return self._ring

    def _read(self) -> KeyRing:
        """Whoever has deleted the keys wants none of them back, so they are not taken from memory."""
        return self._store.read() or self._store.update(self._or_first)

    def _or_first(self, stored: KeyRing | None) -> KeyRing:
        if stored is not None:
            return stored
        if self._has_read:
            logger.warning("The keys are gone, so a new one is made, and every token that was signed before is refused.")
        return KeyRing.of(SigningKey.generate(), int(self._clock()))
