"""The signing key: RSA, created once, kept on disk, and known to the gateway by its public half (RFC 7517)."""

import base64
import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from jwt_issuer.files import create_private, private_folder

ALGORITHM = "RS256"
KEY_BITS = 2048
"""RFC 7518, section 3.3: RS256 takes a key of 2048 bits or more."""


class KeyFileError(ValueError):
    """A key file that cannot be used; the text is a sentence that names the file, and one that says what to do."""


@dataclass(frozen=True)
class SigningKey:
    private: RSAPrivateKey

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


def load_or_create_key(state: Path) -> SigningKey:
    """The key in the state folder, created if there is none; processes that start at once end up with the same key.

    Raises KeyFileError where the file is not a private RSA key of 2048 bits or more, cannot be read, or others can read
    it, and OSError where the folder cannot be written. A key that exists is never replaced.
    """
    path = private_folder(state / "keys") / "signing.pem"
    if not path.exists():
        create_private(path, _pem(generate_private_key(public_exponent=65537, key_size=KEY_BITS)))
    return _load(path)


def _load(path: Path) -> SigningKey:
    remedy = "Restore it, or delete it to get a new key (which makes every token signed so far invalid)."
    try:
        others = stat.S_IMODE(path.stat().st_mode) & 0o077
        pem = path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"The signing key {path} cannot be read: {error.strerror}. {remedy}") from None
    if others:
        raise KeyFileError(f"The signing key {path} is open to other users. Run `chmod 600 {path}`, or delete the file.")
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's reason is left out: it may quote the file.
        raise KeyFileError(f"The signing key {path} is not a private key in unencrypted PEM. {remedy}") from None
    if not isinstance(private, RSAPrivateKey):
        raise KeyFileError(f"The signing key {path} is not an RSA key. {remedy}")
    if private.key_size < KEY_BITS:
        raise KeyFileError(f"The signing key {path} has {private.key_size} bits, fewer than {KEY_BITS}. {remedy}")
    return SigningKey(private)


def _pem(private: RSAPrivateKey) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _octets(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
