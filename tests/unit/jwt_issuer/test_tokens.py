from dataclasses import replace
from typing import Any

import jwt
import pytest

from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.keys.ring import LEEWAY
from jwt_issuer.keys.signing_key import SigningKey
from jwt_issuer.tokens import Mint, Subject, subjects_of
from service.teams import Team

from .rings import START, Clock, a_key

ALICE = Subject("alice", "dba")


def verified(token: str, key: SigningKey) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        token, jwt.PyJWK(key.jwk), algorithms=["RS256"], audience="mock-llm", options={"verify_exp": False}
    )
    return claims


def test_teams_and_their_users_are_subjects() -> None:
    teams = [
        Team(name="dba", description="D.", users=("alice", "bob")),
        Team(name="support", description="S.", users=("carol",)),
    ]
    assert subjects_of(teams) == (
        Subject("dba", "dba"),
        Subject("alice", "dba"),
        Subject("bob", "dba"),
        Subject("support", "support"),
        Subject("carol", "support"),
    )


def test_a_token_claims_who_it_is_for_how_and_how_long(mint: Mint, key: SigningKey) -> None:
    token = mint.token(ALICE)
    assert verified(token, key) == {
        "iss": "agentic-budgets",
        "sub": "alice",
        "team": "dba",
        "aud": "mock-llm",
        "iat": START,
        "exp": START + 600,
    }
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "kid": key.kid}


def test_a_token_may_claim_more_but_not_what_the_issuer_says_itself(mint: Mint, key: SigningKey) -> None:
    usual = verified(mint.token(ALICE), key)
    forged = {"iss": "me", "sub": "bob", "team": "support", "aud": "all", "iat": 1, "exp": 2**40}
    assert verified(mint.token(ALICE, {"group": "data", **forged}), key) == usual | {"group": "data"}


def test_a_mint_knows_when_its_tokens_expire_and_that_is_all_they_are_good_for(mint: Mint, clock: Clock) -> None:
    token = mint.token(ALICE)
    assert mint.expiry(token, ALICE) == START + 600
    clock.now += 600
    assert mint.expiry(token, ALICE) == START + 600


@pytest.mark.parametrize(
    "other",
    [{"issuer": "somebody-else"}, {"audience": "somebody-else"}, {"ttl": 601}, {"ttl": 599}],
)
def test_a_token_that_the_mint_would_not_make_so_is_none_of_its_own(mint: Mint, other: dict[str, Any]) -> None:
    assert replace(mint, **other).expiry(mint.token(ALICE), ALICE) is None


@pytest.mark.parametrize("subject", [Subject("bob", "dba"), Subject("alice", "support")])
def test_a_token_is_that_of_one_subject(mint: Mint, subject: Subject) -> None:
    assert mint.expiry(mint.token(ALICE), subject) is None


def test_a_token_that_claims_more_or_less_is_none_of_the_mints_own(mint: Mint, keychain: Keychain) -> None:
    usual = {"iss": "agentic-budgets", "sub": "alice", "team": "dba", "aud": "mock-llm"}
    assert mint.expiry(keychain.sign(usual, 600), ALICE) == START + 600
    assert mint.expiry(mint.token(ALICE, {"group": "data"}), ALICE) is None
    for name in usual:
        rest = {claim: value for claim, value in usual.items() if claim != name}
        assert mint.expiry(keychain.sign(rest, 600), ALICE) is None


def test_a_token_without_times_is_none_of_the_mints_own(mint: Mint, key: SigningKey) -> None:
    usual = {"iss": "agentic-budgets", "sub": "alice", "team": "dba", "aud": "mock-llm"}
    for times in ({}, {"iat": START}, {"exp": START + 600}):
        token = jwt.encode(usual | times, key.private, algorithm="RS256", headers={"kid": key.kid})
        assert mint.expiry(token, ALICE) is None


def test_a_token_of_a_key_that_is_gone_is_none_of_the_mints_own(mint: Mint, clock: Clock) -> None:
    token = mint.token(ALICE)
    mint.keychain.change(lambda ring: ring.with_next(a_key(1), START).announced(START, 60))
    clock.now = START + 60 + 600 + LEEWAY - 1
    assert mint.expiry(token, ALICE) == START + 600
    clock.now += 1
    assert mint.expiry(token, ALICE) is None


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_what_is_no_token_is_not_fresh(mint: Mint, token: str) -> None:
    assert not mint.is_fresh(token, ALICE)


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (299, True), (300, False), (600, False), (601, False), (-1, False)])
def test_a_token_is_fresh_in_the_first_half_of_its_life(mint: Mint, clock: Clock, age: int, fresh: bool) -> None:
    token = mint.token(ALICE)
    clock.now = START + age
    assert mint.is_fresh(token, ALICE) is fresh


def test_a_mint_shows_no_key_in_a_log(mint: Mint, key: SigningKey) -> None:
    assert str(key.private.private_numbers().d) not in repr(mint)
