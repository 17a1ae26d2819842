"""Key files that are not what an issuer signs with."""

from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from .rings import a_key


def _pem(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, encryption: KeySerializationEncryption) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@cache
def a_small_key() -> bytes:
    return _pem(rsa.generate_private_key(public_exponent=65537, key_size=1024), NoEncryption())  # noqa: S505 - to be refused


@cache
def a_curve() -> bytes:
    return _pem(ec.generate_private_key(ec.SECP256R1()), NoEncryption())


def a_locked_key() -> bytes:
    return _pem(a_key(0).private, BestAvailableEncryption(b"secret"))


def a_public_key() -> bytes:
    return a_key(0).private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
