import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.types import Options

from jwt_issuer.folder import KeyFolder
from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.keys.ring import LEEWAY, KeyRing
from jwt_issuer.keys.signing_key import SigningKey
from jwt_issuer.stores import StoreAwayError, StoreError
from tests.unit.jwt_issuer.rings import START, Clock, RingStore, a_key

OVERLAP = 1200
CLAIMS = {"iss": "agentic-budgets", "aud": "mock-llm", "sub": "alice"}
EXPECTED: dict[str, Any] = {"issuer": "agentic-budgets", "audience": "mock-llm"}
TIMELESS: Options = {"verify_exp": False}


def kids(keychain: Keychain) -> list[str]:
    return [key["kid"] for key in json.loads(keychain.key_set())["keys"]]


def test_the_first_key_is_made_where_there_is_none_and_found_again() -> None:
    store, clock = RingStore(), Clock()
    first = Keychain(store, clock).ring
    assert store.ring == first == Keychain(store, clock).ring
    assert (first.keys[0].published, first.keys[0].signs_from, len(first.keys)) == (START, START, 1)


def test_all_who_start_at_once_have_the_same_key(tmp_path: Path) -> None:
    together = Barrier(4)

    def start(_: int) -> str:
        together.wait()
        return Keychain(KeyFolder(tmp_path)).ring.keys[0].kid

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(start, range(4)))) == 1


def test_a_keychain_does_not_start_without_its_store() -> None:
    with pytest.raises(StoreAwayError):
        Keychain(RingStore(away=True), Clock())


def test_what_somebody_else_rotated_is_known_after_a_refresh(keychain: Keychain, store: RingStore) -> None:
    store.update(lambda ring: (ring or keychain.ring).with_next(a_key(1), START).announced(START, OVERLAP))
    assert kids(keychain) == [a_key(0).kid]
    keychain.refresh()
    assert kids(keychain) == [a_key(0).kid, a_key(1).kid]


def test_a_store_that_is_away_leaves_the_ring_as_it_was(keychain: Keychain, store: RingStore) -> None:
    ring = keychain.ring
    store.away = True
    with pytest.raises(StoreAwayError):
        keychain.refresh()
    assert keychain.ring is ring


@pytest.mark.parametrize("notices", [Keychain.refresh, lambda keychain: keychain.change(lambda ring: ring)])
def test_a_ring_that_somebody_deleted_is_replaced_by_a_new_key_and_not_by_the_one_in_memory(
    keychain: Keychain, store: RingStore, clock: Clock, notices: Callable[[Keychain], object]
) -> None:
    clock.now += 50
    store.ring = None
    notices(keychain)
    (key,) = keychain.ring.keys
    assert key.kid != a_key(0).kid
    assert (key.published, key.signs_from, key.longest_ttl) == (START + 50, START + 50, 0)
    assert store.ring is keychain.ring


@pytest.mark.parametrize("notices", [Keychain.refresh, lambda keychain: keychain.change(lambda ring: ring)])
def test_a_key_that_takes_the_place_of_one_that_is_gone_is_worth_a_warning_and_the_first_is_not(
    clock: Clock, caplog: pytest.LogCaptureFixture, notices: Callable[[Keychain], object]
) -> None:
    store = RingStore()
    keychain = Keychain(store, clock)
    keychain.refresh()
    assert caplog.messages == []
    store.ring = None
    notices(keychain)
    keychain.refresh()
    (warning,) = caplog.records
    assert (warning.levelname, "every token that was signed before is refused" in warning.getMessage()) == ("WARNING", True)


def test_who_comes_second_to_a_store_without_a_ring_takes_the_key_that_the_first_has_made(
    keychain: Keychain, store: RingStore, clock: Clock
) -> None:
    other = Keychain(store, clock)
    store.ring = None
    keychain.refresh()
    other.refresh()
    assert other.ring is keychain.ring is store.ring
    assert len(store.updates) == 1


def test_a_change_is_one_of_the_ring_that_the_store_has(keychain: Keychain, store: RingStore) -> None:
    store.update(lambda ring: (ring or keychain.ring).with_next(a_key(1), START).announced(START, OVERLAP))
    changed = keychain.change(lambda ring: ring.signing_for(60, START))
    assert changed is keychain.ring
    assert [key.kid for key in changed.keys] == [a_key(0).kid, a_key(1).kid]


def test_a_token_says_when_it_was_signed_how_long_it_is_good_and_by_which_key(keychain: Keychain, clock: Clock) -> None:
    clock.now = START + 0.9
    token = keychain.sign({"sub": "alice", "iat": 1, "exp": 2}, 600)
    claims = jwt.decode(token, jwt.PyJWK(a_key(0).jwk), algorithms=["RS256"], options=TIMELESS)
    assert claims == {"sub": "alice", "iat": START, "exp": START + 600}
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "kid": a_key(0).kid}


def test_the_key_that_signs_is_the_current_one(keychain: Keychain, clock: Clock) -> None:
    keychain.change(lambda ring: ring.with_next(a_key(1), START).announced(START, OVERLAP))
    signed_by = {}
    for after in (OVERLAP - 1, OVERLAP):
        clock.now = START + after
        signed_by[after] = jwt.get_unverified_header(keychain.sign({}, 60))["kid"]
    assert signed_by == {OVERLAP - 1: a_key(0).kid, OVERLAP: a_key(1).kid}


def test_the_store_knows_the_longest_lifetime_once_there_is_such_a_token(keychain: Keychain, store: RingStore) -> None:
    for ttl in (600, 60, 600, 900):
        keychain.sign({}, ttl)
    assert [ring.keys[0].longest_ttl for ring in store.updates] == [600, 900]


def test_nothing_is_signed_of_which_the_store_cannot_be_told(keychain: Keychain, store: RingStore) -> None:
    keychain.sign({}, 600)
    store.away = True
    with pytest.raises(StoreAwayError):
        keychain.sign({}, 601)
    assert keychain.sign({}, 600), "what the store knows already needs no store"


def test_a_key_that_was_replaced_meanwhile_does_not_sign(keychain: Keychain, store: RingStore) -> None:
    store.ring = KeyRing.of(a_key(1), START)
    assert jwt.get_unverified_header(keychain.sign({}, 600))["kid"] == a_key(1).kid


def test_the_key_that_signs_is_the_first_of_the_key_set(keychain: Keychain, clock: Clock) -> None:
    keychain.sign({}, 10_000)
    keychain.change(lambda ring: ring.with_next(a_key(1), START).announced(START, OVERLAP))
    keychain.change(lambda ring: ring.with_next(a_key(2), START + OVERLAP).announced(START + OVERLAP, OVERLAP))
    clock.now = START + OVERLAP
    assert kids(keychain) == [a_key(number).kid for number in (1, 0, 2)]


def test_the_key_set_has_nothing_private(keychain: Keychain) -> None:
    keychain.change(lambda ring: ring.with_next(a_key(1), START).announced(START, OVERLAP))
    published = json.loads(keychain.key_set())
    assert set(published) == {"keys"}
    assert [set(key) for key in published["keys"]] == [{"kty", "use", "alg", "kid", "n", "e"}] * 2


def test_a_key_that_has_left_is_not_in_the_key_set_even_where_nobody_has_removed_it(keychain: Keychain, clock: Clock) -> None:
    keychain.change(lambda ring: ring.with_next(a_key(1), START).announced(START, OVERLAP))
    clock.now = START + OVERLAP + LEEWAY
    assert kids(keychain) == [a_key(1).kid]


def test_a_token_is_verified_by_every_key_of_the_key_set(keychain: Keychain, clock: Clock) -> None:
    old = keychain.sign(CLAIMS, 600)
    keychain.change(lambda ring: ring.with_next(a_key(1), START).announced(START, OVERLAP))
    clock.now = START + OVERLAP
    new = keychain.sign(CLAIMS, 600)
    for token in (old, new):
        assert keychain.verify(token, **EXPECTED, options=TIMELESS)["sub"] == "alice"


def test_a_token_of_a_key_that_is_gone_is_refused(keychain: Keychain, clock: Clock) -> None:
    token = keychain.sign(CLAIMS, 600)
    keychain.change(lambda ring: ring.with_next(a_key(1), START).announced(START, OVERLAP))
    clock.now = START + OVERLAP + 600 + LEEWAY
    with pytest.raises(jwt.InvalidTokenError, match="a key that is not in the key set"):
        keychain.verify(token, **EXPECTED, options=TIMELESS)


@pytest.fixture
def today(clock: Clock, keychain: Keychain) -> Keychain:
    """At the time by which PyJWT checks `exp`."""
    clock.now = time.time()
    return keychain


def test_a_token_that_is_good_is_good(today: Keychain) -> None:
    assert today.verify(today.sign(CLAIMS, 600), **EXPECTED)["sub"] == "alice"


@pytest.mark.parametrize(
    ("claims", "ttl", "error"),
    [
        (CLAIMS | {"iss": "somebody-else"}, 600, jwt.InvalidIssuerError),
        (CLAIMS | {"aud": "somebody-else"}, 600, jwt.InvalidAudienceError),
        (CLAIMS, -1, jwt.ExpiredSignatureError),
    ],
)
def test_a_token_that_says_something_else_is_refused(
    today: Keychain, claims: dict[str, str], ttl: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        today.verify(today.sign(claims, ttl), **EXPECTED)


def handmade(header: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """By this header and signature, in the name of alice, and good for 600 s."""

    def part(content: bytes) -> bytes:
        return base64.urlsafe_b64encode(content).rstrip(b"=")

    claims = CLAIMS | {"iat": int(time.time()), "exp": int(time.time()) + 600}
    signed = b".".join(part(json.dumps(each).encode()) for each in (header, claims))
    return b".".join((signed, part(sign(signed)))).decode()


def by_rsa(signed: bytes) -> bytes:
    return jwt.get_algorithm_by_name("RS256").sign(signed, a_key(0).private)


def by_the_public_key(signed: bytes) -> bytes:
    public = a_key(0).private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return hmac.digest(public, signed, hashlib.sha256)


def by_another_key(signed: bytes) -> bytes:
    return jwt.get_algorithm_by_name("RS256").sign(signed, a_key(1).private)


def test_a_handmade_token_is_good_where_its_key_is_known(today: Keychain) -> None:
    assert today.verify(handmade({"alg": "RS256", "kid": a_key(0).kid}, by_rsa), **EXPECTED)


@pytest.mark.parametrize(
    ("header", "sign"),
    [
        ({"alg": "none"}, lambda _: b""),
        ({"alg": "none", "kid": "OURS"}, lambda _: b""),
        ({"alg": "None", "kid": "OURS"}, by_rsa),
        ({"alg": "HS256", "kid": "OURS"}, by_the_public_key),
        ({"alg": "RS512", "kid": "OURS"}, by_rsa),
        ({"alg": "RS256"}, by_rsa),
        ({"alg": "RS256", "kid": None}, by_rsa),
        ({"alg": "RS256", "kid": 5}, by_rsa),
        ({"alg": "RS256", "kid": "unknown"}, by_rsa),
        ({"alg": "RS256", "kid": "OURS"}, by_another_key),
        ({"alg": "RS256", "kid": "OURS"}, lambda _: b""),
        ({"alg": "RS256", "kid": "THEIRS", "jwk": a_key(1).jwk}, by_another_key),
    ],
)
def test_a_forged_token_is_refused(today: Keychain, header: dict[str, Any], sign: Callable[[bytes], bytes]) -> None:
    known = {"OURS": a_key(0).kid, "THEIRS": a_key(1).kid}
    header = {name: known.get(value, value) if isinstance(value, str) else value for name, value in header.items()}
    with pytest.raises(jwt.InvalidTokenError):
        today.verify(handmade(header, sign), **EXPECTED)


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "....", "é.b.c"])
def test_what_is_no_token_is_refused(keychain: Keychain, token: str) -> None:
    with pytest.raises(jwt.InvalidTokenError):
        keychain.verify(token)


def test_a_keychain_shows_no_key_in_a_log(keychain: Keychain, key: SigningKey) -> None:
    secrets = str(key.private.private_numbers().d), "BEGIN"
    assert not any(secret in repr(shown) for shown in (keychain, keychain.ring) for secret in secrets)


def test_a_ring_that_cannot_be_used_is_an_error_and_not_another_key(tmp_path: Path) -> None:
    KeyFolder(tmp_path).update(lambda _: KeyRing.of(a_key(0), START))
    KeyFolder(tmp_path).path.write_bytes(b"{")
    with pytest.raises(StoreError):
        Keychain(KeyFolder(tmp_path))


def test_who_has_not_heard_of_a_rotation_in_time_signs_no_more(store: RingStore, clock: Clock) -> None:
    """Somebody may have rotated the moment after the last look, and the old key signs for the overlap from then on."""
    keychain = Keychain(store, clock, overlap=100)
    store.away = True
    clock.now += 100
    keychain.sign({}, 0)
    clock.now += 1
    with pytest.raises(StoreAwayError, match="longer than the overlap"):
        keychain.sign({}, 0)
    store.away = False
    keychain.refresh()
    keychain.sign({}, 0)


def test_a_look_that_fails_is_no_look(store: RingStore, clock: Clock) -> None:
    keychain = Keychain(store, clock, overlap=100)
    store.away = True
    clock.now += 100
    with pytest.raises(StoreAwayError):
        keychain.refresh()
    clock.now += 1
    with pytest.raises(StoreAwayError):
        keychain.sign({}, 0)


def test_a_change_is_a_look_too(store: RingStore, clock: Clock) -> None:
    keychain = Keychain(store, clock, overlap=100)
    clock.now += 100
    keychain.change(lambda ring: ring)
    clock.now += 100
    keychain.sign({}, 0)
