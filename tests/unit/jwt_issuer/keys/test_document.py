import json
from typing import Any

import pytest

from jwt_issuer.keys.document import WrongRingError, read_ring, write_ring
from jwt_issuer.keys.ring import KeyRing
from tests.unit.jwt_issuer.pems import a_curve, a_small_key
from tests.unit.jwt_issuer.rings import START, a_key

RING = KeyRing.of(a_key(0), START).signing_for(600, START).with_next(a_key(1), START + 5).announced(START + 5, 1200)


WAITING = KeyRing.of(a_key(0), START).with_next(a_key(1), START)


def document(*without: str, **changed: Any) -> dict[str, Any]:
    """Of one key, with these members."""
    key = {"pem": a_key(0).pem().decode(), "published": START, "signs_from": START, "longest_ttl": 0} | changed
    return {"keys": [{name: value for name, value in key.items() if name not in without}]}


def test_what_was_written_is_read_again() -> None:
    assert read_ring(write_ring(RING)) == RING
    assert read_ring(json.dumps(document()).encode()) == KeyRing.of(a_key(0), START)


def test_a_key_that_waits_to_be_published_is_read_again() -> None:
    assert read_ring(write_ring(WAITING)) == WAITING
    waiting = json.loads(write_ring(WAITING))["keys"][1]
    assert (waiting["published"], waiting["signs_from"]) == (None, None)


def test_the_keys_are_read_in_the_order_in_which_they_were_added() -> None:
    """Not by their times: a clock that was set back while a key waited made it sign earlier than the one before it."""
    written = json.loads(write_ring(RING))
    turned = read_ring(json.dumps({"keys": written["keys"][::-1]}).encode())
    assert [key.kid for key in turned.keys] == [a_key(1).kid, a_key(0).kid]


@pytest.mark.parametrize("order", [(1,), (1, 0), (0, 1, 0)])
def test_a_key_that_never_signed_is_the_last_one_and_never_the_only_one(order: tuple[int, ...]) -> None:
    written = json.loads(write_ring(WAITING))["keys"]
    with pytest.raises(WrongRingError, match=r"^has a key that never signed in front of others$"):
        read_ring(json.dumps({"keys": [written[index] for index in order]}).encode())


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"keys": []}',
        b'{"keys": [3]}',
        *(
            json.dumps(each).encode()
            for each in (
                document(pem=None),
                document("pem"),
                document("published"),
                document("signs_from"),
                document("longest_ttl"),
                document(published=-1),
                document(published="1700000000"),
                document(signs_from=1.5),
                document(longest_ttl=True),
                document(more="1"),
                document() | {"more": 1},
            )
        ),
    ],
)
def test_what_is_no_ring_is_refused_and_not_quoted(wrong: bytes) -> None:
    with pytest.raises(WrongRingError) as refused:
        read_ring(wrong)
    assert str(refused.value) == "is not a key ring"
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    ("pem", "reason"),
    [
        ("SECRET", "is not a private key in unencrypted PEM"),
        (a_curve().decode(), "is not an RSA key"),
        (a_small_key().decode(), "has 1024 bits, fewer than 2048"),
    ],
)
def test_a_key_in_it_that_will_not_do_is_refused_and_not_quoted(pem: str, reason: str) -> None:
    with pytest.raises(WrongRingError) as refused:
        read_ring(json.dumps(document(pem=pem)).encode())
    assert str(refused.value) == f"holds a key that {reason}"
