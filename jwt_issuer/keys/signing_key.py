"""A signing key: RSA, known to verifiers by its public half (RFC 7517)."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

ALGORITHM = "RS256"
KEY_BITS = 2048
"""RFC 7518, section 3.3: RS256 takes a key of 2048 bits or more."""


class WrongKeyError(ValueError):
    """What is no key of ours; the text says what it is instead, as the end of a sentence, and quotes none of it."""


@dataclass(frozen=True, eq=False)
class SigningKey:
    private: RSAPrivateKey

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SigningKey) and other.kid == self.kid

    def __hash__(self) -> int:
        return hash(self.kid)

    @classmethod
    def generate(cls) -> "SigningKey":
        return cls(generate_private_key(public_exponent=65537, key_size=KEY_BITS))

    @classmethod
    def from_pem(cls, pem: bytes) -> "SigningKey":
        """Raises WrongKeyError for anything but a private RSA key of 2048 bits or more, in unencrypted PEM."""
        try:
            private = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            # The library's reason is left out: it may quote the file.
            raise WrongKeyError("is not a private key in unencrypted PEM") from None
        if not isinstance(private, RSAPrivateKey):
            raise WrongKeyError("is not an RSA key")
        if private.key_size < KEY_BITS:
            raise WrongKeyError(f"has {private.key_size} bits, fewer than {KEY_BITS}")
        return cls(private)

    def pem(self) -> bytes:
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @cached_property
    def kid(self) -> str:
        """The key's thumbprint, so that the same key has the same id everywhere."""
        return thumbprint(self._public_members())

    @cached_property
    def jwk(self) -> dict[str, str]:
        """The public half as a JSON Web Key."""
        return self._public_members() | {"use": "sig", "alg": ALGORITHM, "kid": self.kid}

    def _public_members(self) -> dict[str, str]:
        public = self.private.public_key().public_numbers()
        return {"e": _base64url(_octets(public.e)), "kty": "RSA", "n": _base64url(_octets(public.n))}


def thumbprint(public: Mapping[str, str]) -> str:
    """RFC 7638, for an RSA key's JSON Web Key."""
    required = {member: public[member] for member in ("e", "kty", "n")}
    return _base64url(hashlib.sha256(json.dumps(required, separators=(",", ":")).encode()).digest())


def _octets(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
