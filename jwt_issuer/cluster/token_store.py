"""Tokens as Secrets beside the agents, and the public key set as a ConfigMap beside the issuer."""

import base64
import logging

from kubernetes.client import V1ConfigMap, V1Secret

from jwt_issuer.cluster.objects import Objects
from jwt_issuer.cluster.ownership import owned, refuse_foreign

logger = logging.getLogger(__name__)

KEY_SET = "jwt-issuer-jwks"
KEY_SET_ENTRY = "jwks.json"


class ClusterTokenStore:
    """`jwt-<sub>` has the entries `token`, `sub` and `team`. What has such a name and is not the issuer's stays as it is."""

    def __init__(self, tokens: Objects[V1Secret], key_sets: Objects[V1ConfigMap]) -> None:
        self._tokens = tokens
        self._key_sets = key_sets
        self._put: frozenset[str] = frozenset()

    def token(self, sub: str) -> str | None:
        name = _name(sub)
        found = self._tokens.read(name)
        if found is None:
            return None
        refuse_foreign(found, "token", self._tokens.place(name))
        encoded = (found.data or {}).get("token", "")
        try:
            return base64.b64decode(encoded, validate=True).decode() or None
        except ValueError:
            return None

    def put(self, sub: str, team: str, token: str) -> None:
        name = _name(sub)
        data: dict[str, bytes | str] = {
            entry: _encoded(text) for entry, text in {"token": token, "sub": sub, "team": team}.items()
        }

        def wanted(found: V1Secret | None) -> V1Secret | None:
            if found is None:
                return V1Secret(metadata=owned(name, "token"), type="Opaque", data=data)
            refuse_foreign(found, "token", self._tokens.place(name))
            if found.data == data:
                return None
            found.data = data
            return found

        self._tokens.change(name, wanted)
        self._put |= {sub}

    def keep_only(self, subs: frozenset[str]) -> None:
        """Removes nothing: who may delete or list Secrets can do so with all of the namespace's. What is left over expires.

        Says so of those that this process has put.
        """
        for sub in sorted(self._put - subs):
            logger.info(
                "%s is no longer renewed and expires by itself; delete it when you like.", self._tokens.place(_name(sub))
            )
        self._put &= subs

    def publish(self, key_set: bytes) -> None:
        data = {KEY_SET_ENTRY: key_set.decode()}

        def wanted(found: V1ConfigMap | None) -> V1ConfigMap | None:
            if found is None:
                return V1ConfigMap(metadata=owned(KEY_SET, "key-set"), data=data)
            refuse_foreign(found, "key-set", self._key_sets.place(KEY_SET))
            if found.data == data:
                return None
            found.data = data
            return found

        self._key_sets.change(KEY_SET, wanted)


def _name(sub: str) -> str:
    return f"jwt-{sub}"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
