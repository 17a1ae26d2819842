import traceback
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from jwt_issuer.keys.signing_key import SigningKey, WrongKeyError, thumbprint
from tests.unit.jwt_issuer.pems import a_curve, a_locked_key, a_public_key, a_small_key
from tests.unit.jwt_issuer.rings import a_key


def test_a_new_key_is_long_enough_and_another_each_time() -> None:
    first, second = SigningKey.generate(), SigningKey.generate()
    assert first.private.key_size == 2048
    assert first.private.public_key().public_numbers().e == 65537
    assert first.kid != second.kid


def test_a_key_is_the_same_after_its_pem() -> None:
    again = SigningKey.from_pem(a_key(0).pem())
    assert (again, hash(again), again.jwk) == (a_key(0), hash(a_key(0)), a_key(0).jwk)
    assert again != a_key(1)
    assert again != a_key(0).kid


def test_a_key_that_openssl_wrote_in_its_own_form_is_taken() -> None:
    pem = a_key(0).private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert pem.startswith(b"-----BEGIN RSA PRIVATE KEY-----")
    assert SigningKey.from_pem(pem) == a_key(0)


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
        (lambda: b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is not a private key in unencrypted PEM"),
        (a_public_key, "is not a private key in unencrypted PEM"),
        (a_locked_key, "is not a private key in unencrypted PEM"),
        (a_curve, "is not an RSA key"),
        (a_small_key, "has 1024 bits, fewer than 2048"),
    ],
)
def test_what_will_not_do_is_refused_with_a_reason_that_quotes_nothing(content: Callable[[], bytes], reason: str) -> None:
    pem = content()
    with pytest.raises(WrongKeyError) as refused:
        SigningKey.from_pem(pem)
    assert str(refused.value) == reason
    shown = "".join(traceback.format_exception(refused.value))
    assert not any(line in shown for line in pem.decode().splitlines() if line)


def test_a_key_does_not_show_in_a_log(key: SigningKey) -> None:
    assert str(key.private.private_numbers().d) not in repr(key)
    assert "BEGIN" not in repr(key)
