import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwt_issuer.oauth.client_secrets import Cost, SecretHash, WrongHashError, hash_secret, new_secret

SALT, DIGEST = "A" * 22, "A" * 43


def test_a_hash_read_back_matches_its_secret_and_no_other() -> None:
    secret = new_secret()
    read = SecretHash.parse(hash_secret(secret))
    assert read.matches(secret)
    assert not read.matches(secret + "x")
    assert not read.matches("")


def test_secrets_differ_and_need_no_encoding() -> None:
    made = {new_secret() for _ in range(50)}
    assert len(made) == 50
    assert all(len(secret) >= 43 and secret.replace("-", "").replace("_", "").isalnum() for secret in made)


def test_two_hashes_of_one_secret_differ() -> None:
    assert hash_secret("the same") != hash_secret("the same")


def test_the_parameters_of_the_text_are_those_that_are_used() -> None:
    # RFC 7914, section 12, the second vector.
    digest = "_bq-HJ00cgB4VucZDQHp_nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG_xCSedmDDaxyevuUqD7m2DYMvfoswGQA"
    assert SecretHash.parse(f"scrypt$ln=10,r=8,p=16$TmFDbE5hQ2xOYUNsTmFDbE5hQ2w${digest}").cost == Cost(10, 8, 16)
    stored = SecretHash(Cost(10, 8, 16), b"NaCl", SecretHash.parse(f"scrypt$ln=10,r=8,p=16${SALT}${digest}").digest)
    assert stored.matches("password")


@pytest.mark.parametrize(
    "cost",
    [
        "ln=30,r=8,p=1",
        "ln=99,r=99,p=99",
        "ln=16,r=8,p=2",
        "ln=17,r=2,p=3",
        "ln=2,r=1,p=1",
        "ln=13,r=8,p=1",
        "ln=14,r=8,p=0",
        "ln=16,r=1,p=8",
    ],
)
def test_a_hash_that_asks_for_too_much_or_too_little_is_refused(cost: str) -> None:
    with pytest.raises(WrongHashError, match="too little or too much work"):
        SecretHash.parse(f"scrypt${cost}${SALT}${DIGEST}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain-secret",
        f"scrypt$ln=14,r=8,p=1${SALT}",
        f"scrypt$ln=14,r=8,p=1$short${DIGEST}",
        f"scrypt$ln=14,r=8,p=1${SALT}$short",
        f"scrypt$ln=14,r=8,p=1${SALT}${DIGEST}\n",
        f"scrypt$ln=１４,r=8,p=1${SALT}${DIGEST}",
        f"bcrypt$ln=14,r=8,p=1${SALT}${DIGEST}",
        f"scrypt$ln=14,r=8,p=1${'A' * 25}${DIGEST}",
    ],
)
def test_what_is_no_hash_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(WrongHashError) as error:
        SecretHash.parse(text)
    assert not text or text.strip() not in str(error.value)
    assert "jwt-issuer secret" in str(error.value)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 20), st.integers(0, 99), st.integers(0, 99))
def test_whatever_is_read_can_be_checked(log2_n: int, r: int, p: int) -> None:
    try:
        read = SecretHash.parse(f"scrypt$ln={log2_n},r={r},p={p}${SALT}${DIGEST}")
    except WrongHashError:
        return
    assert not read.matches("secret")


def test_the_extremes_that_are_read_can_be_checked() -> None:
    for cost in ("ln=16,r=8,p=1", "ln=18,r=2,p=1", "ln=15,r=1,p=16", "ln=12,r=99,p=1", "ln=5,r=99,p=99"):
        assert not SecretHash.parse(f"scrypt${cost}${SALT}${DIGEST}").matches("secret")


def test_the_hash_of_nothing_costs_what_another_does_and_matches_nothing() -> None:
    nothing = SecretHash.of_nothing()
    assert nothing.cost == SecretHash.of("any").cost
    assert not nothing.matches("")


def test_no_repr_shows_salt_or_hash() -> None:
    shown = SecretHash.of("secret")
    assert repr(shown) == "SecretHash(cost=Cost(log2_n=14, r=8, p=1))"
