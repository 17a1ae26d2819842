"""Virtual keys: the API keys in the Secrets of a policy, and who each of them stands for.

They are kept as SHA-256 alone, and no error, log line or repr shows a key, its hash or what an entry holds.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from budgets.documents.errors import PolicyError
from budgets.documents.secrets import KeySource, SecretDocument
from budgets.virtual_keys.key_entries import EntryError, read_entry

SHORTEST = 16
"""Characters. A shorter key can be guessed."""


@dataclass(frozen=True)
class VirtualKey:
    name: str
    """Of the entry in the Secret."""
    dimensions: Mapping[str, str]
    """`virtualKey` (the name), `user`, `team` if it has one, and whatever else its metadata tell."""


@dataclass(frozen=True)
class _Kept:
    digest: bytes = field(repr=False)
    place: str
    key: VirtualKey


class KeyRing:
    """The keys that are let in."""

    def __init__(self) -> None:
        self.warnings: tuple[str, ...] = ()
        """What is allowed and unwise, one sentence each."""
        self._by_digest: dict[bytes, _Kept] = {}

    @classmethod
    def from_documents(cls, secrets: Iterable[SecretDocument], source: KeySource | None = None) -> "KeyRing":
        """The keys of the Secret that the source names, or of all that carry its labels.

        Without a source there are none: a provider's credential that lies beside the policy must not become a key.
        Raises PolicyError, which names the file, the Secret and the entry.
        """
        ring = cls()
        if source is None:
            ring.warnings = tuple(_unused(secret) for secret in secrets)
            return ring
        chosen = [secret for secret in secrets if _is_chosen(secret, source)]
        if not chosen:
            ring.warnings += (f"No Secret {_described(source)} is among the policy documents, so no virtual key is known.",)
        for secret in chosen:
            for name, text in secret.entries.items():
                ring._add(secret, name, text)
        ring.warnings += tuple(_shared_names(ring._by_digest.values()))
        return ring

    def find(self, key: str) -> VirtualKey | None:
        digest = hashlib.sha256(key.encode(errors="surrogatepass")).digest()
        kept = self._by_digest.get(digest)
        return kept.key if kept and hmac.compare_digest(kept.digest, digest) else None

    def __len__(self) -> int:
        return len(self._by_digest)

    def __repr__(self) -> str:
        return f"KeyRing({len(self)} keys)"

    def _add(self, secret: SecretDocument, name: str, text: str) -> None:
        place = f"Secret {secret.name}, entry {name}"
        try:
            entry = read_entry(name, text)
        except EntryError as error:
            raise PolicyError(secret.file, place, str(error)) from None
        if other := self._by_digest.get(entry.digest):
            raise PolicyError(secret.file, place, f"is the same key as {other.place}; a key stands for one caller.")
        if entry.length is not None and entry.length < SHORTEST:
            self.warnings += (f"{secret.file}: {place}: the key is shorter than {SHORTEST} characters and can be guessed.",)
        self._by_digest[entry.digest] = _Kept(entry.digest, place, VirtualKey(name, entry.dimensions))


def _unused(secret: SecretDocument) -> str:
    return f"{secret.file}: no AgentgatewayPolicy names a source of virtual keys, so Secret {secret.name} is not used."


def _is_chosen(secret: SecretDocument, source: KeySource) -> bool:
    if source.name is not None:
        return secret.name == source.name
    return (source.labels or {}).items() <= secret.labels.items()


def _described(source: KeySource) -> str:
    if source.name is not None:
        return repr(source.name)
    return "with the labels " + ", ".join(f"{label}={value}" for label, value in (source.labels or {}).items())


def _shared_names(kept: Iterable[_Kept]) -> Iterator[str]:
    first: dict[str, str] = {}
    for each in kept:
        if first.setdefault(each.key.name, each.place) != each.place:
            yield f"{first[each.key.name]}, and {each.place}: two keys of one name are one virtual key and share its budgets."
