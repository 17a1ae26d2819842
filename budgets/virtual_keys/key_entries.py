"""One entry of a Secret as agentgateway reads it: the key itself, or JSON that holds the key or its hash, and metadata.

    sk-alice-abc123def456
    {"key": "sk-alice-abc123def456", "metadata": {"user_id": "alice", "tier": "free"}}
    {"keyHash": "sha256:<64 hexadecimal digits>", "metadata": {"team": "dba"}}

What is wrong with an entry is said without quoting anything of it but the names of its fields.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from budgets.documents.reserved import RESERVED

LONGEST_VALUE = 256
"""Characters of a metadata field, which travels in a header."""

_KEY = re.compile(r"[!-~]+")
_JWT = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}")
_HASH = re.compile(r"(?:sha256:)?([0-9A-Fa-f]{64})")
_FIELD = re.compile(r"[a-z][a-z0-9_-]*")
_TRAVELS = f"1 to {LONGEST_VALUE} characters, without control characters and without a space at either end"
_OF_THE_REQUEST = {"virtualKey", "model", "provider"}


class EntryError(ValueError):
    """An entry that cannot be used; the text says why and holds nothing of its content."""


@dataclass(frozen=True)
class KeyEntry:
    digest: bytes = field(repr=False)
    dimensions: Mapping[str, str]
    length: int | None
    """Characters of the key; None where only its hash is known."""


def read_entry(name: str, text: str) -> KeyEntry:
    """Raises EntryError."""
    if not _travels(name):
        raise EntryError(f"its name, which travels in a header, must be {_TRAVELS}.")
    if not text.lstrip().startswith("{"):
        return _from_key(text.strip(), _dimensions(name, {}))
    fields = _parsed(text)
    if not fields.keys() <= {"key", "keyHash", "metadata"}:
        raise EntryError("has a field besides key, keyHash and metadata.")
    if ("key" in fields) == ("keyHash" in fields):
        raise EntryError("needs either key or keyHash, and not both.")
    dimensions = _dimensions(name, _metadata(fields.get("metadata", {})))
    return _from_key(fields["key"], dimensions) if "key" in fields else _from_hash(fields["keyHash"], dimensions)


def _from_key(key: Any, dimensions: Mapping[str, str]) -> KeyEntry:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise EntryError("the key must be text of visible ASCII characters, without spaces; a header carries no other.")
    if _JWT.fullmatch(key):
        raise EntryError("the key has the shape of a JWT, and the gateway would take it for one; leave out its dots.")
    return KeyEntry(hashlib.sha256(key.encode()).digest(), dimensions, len(key))


def _from_hash(key_hash: Any, dimensions: Mapping[str, str]) -> KeyEntry:
    found = _HASH.fullmatch(key_hash) if isinstance(key_hash, str) else None
    if not found:
        raise EntryError("keyHash must be sha256: and 64 hexadecimal digits.")
    return KeyEntry(bytes.fromhex(found[1]), dimensions, None)


def _dimensions(name: str, metadata: Mapping[str, str]) -> Mapping[str, str]:
    """The guide for virtual keys calls the user `user_id`. A key without one stands for a user of the entry's name."""
    users = {metadata[each] for each in ("user", "user_id") if each in metadata} or {name}
    if len(users) > 1:
        raise EntryError("metadata.user and metadata.user_id are the same dimension and differ; state one of them.")
    others = {each: value for each, value in metadata.items() if each != "user_id"}
    return MappingProxyType({**others, "user": users.pop(), "virtualKey": name})


def _metadata(stated: Any) -> dict[str, str]:
    if not isinstance(stated, dict):
        raise EntryError("metadata must be an object.")
    return {name: _value(f"field {number} of metadata", name, value) for number, (name, value) in enumerate(stated.items(), 1)}


def _value(place: str, name: str, value: Any) -> str:
    if name in RESERVED or name in _OF_THE_REQUEST:
        raise EntryError(f"{place} has a name that is reserved for what is told of every request; name it otherwise.")
    if not _FIELD.fullmatch(name):
        raise EntryError(f"{place} has a name that cannot be a header's; use a-z, 0-9, _ and -, and begin with a letter.")
    if not isinstance(value, str | int | float):
        raise EntryError(f"{place} must be a text, a number or a truth value.")
    text = value if isinstance(value, str) else json.dumps(value)
    if not _travels(text):
        raise EntryError(f"{place}, which travels in a header, must be {_TRAVELS}.")
    return text


def _travels(text: str) -> bool:
    return 0 < len(text) <= LONGEST_VALUE and text.isprintable() and text == text.strip()


def _parsed(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text, object_pairs_hook=_one_value_per_field, parse_constant=_no_constant)
    except EntryError:
        raise
    except (ValueError, RecursionError):
        raise EntryError("starts like a JSON object and is not one.") from None
    assert isinstance(fields, dict)  # noqa: S101  JSON that starts with a brace is an object
    return fields


def _one_value_per_field(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise EntryError("has a field twice.")
    return fields


def _no_constant(name: str) -> None:
    raise ValueError(name)
