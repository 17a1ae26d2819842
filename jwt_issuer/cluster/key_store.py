"""The key ring in a Secret of the issuer's own namespace."""

import base64
from collections.abc import Callable

from kubernetes.client import V1Secret

from jwt_issuer.cluster.objects import Objects
from jwt_issuer.cluster.ownership import owned
from jwt_issuer.keys.document import WrongRingError, read_ring, write_ring
from jwt_issuer.keys.ring import KeyRing
from jwt_issuer.stores import StoreError

NAME = "jwt-issuer-keys"
ENTRY = "ring.json"


class SecretKeyStore:
    def __init__(self, secrets: Objects[V1Secret]) -> None:
        self._secrets = secrets

    def read(self) -> KeyRing | None:
        found = self._secrets.read(NAME)
        return self._ring_of(found) if found else None

    def update(self, change: Callable[[KeyRing | None], KeyRing]) -> KeyRing:
        def wanted(found: V1Secret | None) -> V1Secret | None:
            document = _encoded(change(self._ring_of(found) if found else None))
            if found is None:
                return V1Secret(metadata=owned(NAME, "keys"), type="Opaque", data={ENTRY: document})
            entries = found.data or {}
            if entries.get(ENTRY) == document:
                return None
            found.data = entries | {ENTRY: document}
            return found

        return self._ring_of(self._secrets.change(NAME, wanted))

    def _ring_of(self, secret: V1Secret) -> KeyRing:
        """Raises StoreError: a Secret that holds no ring is nobody's to overwrite, for it may be a key that was imported."""
        document = (secret.data or {}).get(ENTRY)
        place = self._secrets.place(NAME)
        try:
            if document is None:
                raise WrongRingError(f"has no entry {ENTRY}")
            return read_ring(base64.b64decode(document, validate=True))
        except WrongRingError as error:
            reason = str(error)
        except ValueError:
            reason = "is not in base64"
        raise StoreError(
            f"{place} {reason}. Restore it from a copy, or delete it to begin with a new key, which voids every token."
        )


def _encoded(ring: KeyRing) -> str:
    return base64.b64encode(write_ring(ring)).decode()
