"""Where the issuer keeps what outlives it: a folder on one machine, Secrets and a ConfigMap in a cluster."""

from collections.abc import Callable
from typing import Protocol

from jwt_issuer.keys.ring import KeyRing


class StoreError(Exception):
    """What is kept cannot be used; the text is a sentence that names the place, and one that says what to do."""


class StoreAwayError(StoreError):
    """The place cannot be reached at the moment. What was read of it before still holds."""


class KeyStore(Protocol):
    """Keeps the key ring. All raise StoreError."""

    def read(self) -> KeyRing | None:
        """The ring, or None where there is none yet."""

    def update(self, change: Callable[[KeyRing | None], KeyRing]) -> KeyRing:
        """The ring as it is after the change, for good.

        Of several at once each sees what the one before it has made, so `change` may be called more than once; what it raises
        is raised, and nothing is changed.
        """


class Leadership(Protocol):
    """Of several replicas one writes."""

    @property
    def holds(self) -> bool:
        """Whether this replica may still write, as it knows without asking anybody."""

    def leads(self) -> bool:
        """Whether this replica is the one, to be asked every few seconds. Raises StoreError."""

    def release(self) -> None:
        """Let another write."""


class TokenStore(Protocol):
    """Keeps a token for each subject, and the public key set, for whoever reads them there. All raise StoreError."""

    def token(self, sub: str) -> str | None: ...

    def put(self, sub: str, team: str, token: str) -> None: ...

    def keep_only(self, subs: frozenset[str]) -> None:
        """Remove what is there of subjects that are no longer listed, as far as this store may."""

    def publish(self, key_set: bytes) -> None:
        """The JSON Web Key Set; the same one again changes nothing."""
