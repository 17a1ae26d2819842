from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from jwt_issuer.keys import KeyFileError, SigningKey, load_or_create_key, thumbprint

from .modes import mode


def pem(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, encryption: KeySerializationEncryption | None = None) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def a_small_key() -> bytes:
    return pem(rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505 - to be refused


def a_curve() -> bytes:
    return pem(ec.generate_private_key(ec.SECP256R1()))


def a_locked_key() -> bytes:
    return pem(ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"secret"))


def a_public_key() -> bytes:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_file(state: Path, content: bytes) -> Path:
    path = state / "keys" / "signing.pem"
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_the_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    first = load_or_create_key(tmp_path)
    assert first.private.key_size == 2048
    assert load_or_create_key(tmp_path).jwk == first.jwk


def test_only_the_owner_can_read_the_key(tmp_path: Path) -> None:
    load_or_create_key(tmp_path / "state")
    assert mode(tmp_path / "state" / "keys") == 0o700
    assert mode(tmp_path / "state" / "keys" / "signing.pem") == 0o600


def test_all_who_start_at_once_have_the_same_key(tmp_path: Path) -> None:
    together = Barrier(4)

    def start(_: int) -> str:
        together.wait()
        return load_or_create_key(tmp_path).kid

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(start, range(4)))) == 1
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["signing.pem"]


def test_the_thumbprint_is_that_of_the_rfcs_example() -> None:
    # RFC 7638, section 3.1.
    example = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc"
        "_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQ"
        "R0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bF"
        "TWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    }
    assert thumbprint(example) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_published_key_is_the_public_half_and_nothing_of_the_private_one(key: SigningKey) -> None:
    assert set(key.jwk) == {"kty", "use", "alg", "kid", "n", "e"}
    assert (key.jwk["kty"], key.jwk["use"], key.jwk["alg"]) == ("RSA", "sig", "RS256")
    assert key.jwk["kid"] == key.kid == thumbprint(key.jwk)
    published = jwt.PyJWK(key.jwk).key
    assert published.public_numbers() == key.private.public_key().public_numbers()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: b"", "is not a private key in unencrypted PEM"),
        (lambda: b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is not a private key"),
        (a_public_key, "is not a private key"),
        (a_locked_key, "is not a private key in unencrypted PEM"),
        (a_curve, "is not an RSA key"),
        (a_small_key, "has 1024 bits, fewer than 2048"),
    ],
)
def test_a_key_file_that_will_not_do_is_refused_by_name_with_a_remedy_and_kept(
    tmp_path: Path, content: Callable[[], bytes], reason: str
) -> None:
    written = content()
    path = key_file(tmp_path, written)
    with pytest.raises(KeyFileError, match=reason) as caught:
        load_or_create_key(tmp_path)
    assert str(caught.value).startswith(f"The signing key {path} ")
    assert "delete it to get a new key" in str(caught.value)
    assert path.read_bytes() == written


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_or_create_key(tmp_path)
    path = tmp_path / "keys" / "signing.pem"
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match=f"chmod 600 {path}"):
        load_or_create_key(tmp_path)


def test_a_key_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.pem"
    path.mkdir(parents=True, mode=0o700)
    with pytest.raises(KeyFileError, match=f"The signing key {path} cannot be read: Is a directory. Restore it"):
        load_or_create_key(tmp_path)


def test_a_key_does_not_show_in_a_log(key: SigningKey) -> None:
    assert str(key.private.private_numbers().d) not in repr(key)
    assert "BEGIN" not in repr(key)
