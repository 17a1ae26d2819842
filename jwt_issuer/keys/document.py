"""The key ring as the JSON document that a store keeps; it holds private keys."""

import json
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jwt_issuer.keys.ring import KeyRing, RingKey
from jwt_issuer.keys.signing_key import SigningKey, WrongKeyError

Seconds = Annotated[int, Field(strict=True, ge=0)]


class WrongRingError(ValueError):
    """The document is no key ring; the text says why, as the end of a sentence, and quotes none of it."""


class _Key(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    pem: str
    published: Seconds | None
    signs_from: Seconds | None
    longest_ttl: Seconds


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    keys: Annotated[tuple[_Key, ...], Field(min_length=1)]


def write_ring(ring: KeyRing) -> bytes:
    keys = [
        {
            "pem": key.signing.pem().decode(),
            "published": key.published,
            "signs_from": key.signs_from,
            "longest_ttl": key.longest_ttl,
        }
        for key in ring.keys
    ]
    return json.dumps({"keys": keys}, indent=1).encode()


# A private key takes milliseconds to read, and the same document is read every few seconds.
@lru_cache(maxsize=2)
def read_ring(document: bytes) -> KeyRing:
    """Raises WrongRingError."""
    try:
        read = _Document.model_validate_json(document)
        keys = [
            RingKey(SigningKey.from_pem(key.pem.encode()), key.published, key.signs_from, key.longest_ttl) for key in read.keys
        ]
    except ValidationError:
        raise WrongRingError("is not a key ring") from None
    except WrongKeyError as error:
        raise WrongRingError(f"holds a key that {error}") from None
    if any(key.signs_from is None for key in keys[:-1]) or keys[0].signs_from is None:
        raise WrongRingError("has a key that never signed in front of others")
    return KeyRing(tuple(keys))
