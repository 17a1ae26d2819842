from datetime import UTC, datetime

import pytest

from agents.identity import read_identity
from tests.unit.agents.doubles import token


def test_the_team_and_the_expiry_are_read_from_the_claims() -> None:
    identity = read_identity(token(team="dba", exp=1_800_000_000))
    assert identity.team == "dba"
    assert identity.expires_at == datetime(2027, 1, 15, 8, 0, tzinfo=UTC)


def test_an_expired_token_is_read_like_any_other() -> None:
    assert read_identity(token(team="dba", exp=1)).team == "dba"


def test_a_token_without_exp_never_expires() -> None:
    assert read_identity(token(team="dba")).expires_at is None


@pytest.mark.parametrize("team", [None, "", "  ", 7, ["dba"]])
def test_a_team_that_is_no_string_with_text_is_refused(team: object) -> None:
    with pytest.raises(ValueError, match="name no team"):
        read_identity(token(team=team))


def test_a_token_without_a_team_claim_is_refused() -> None:
    with pytest.raises(ValueError, match="name no team"):
        read_identity(token(sub="dba"))


@pytest.mark.parametrize("text", ["secret", "a.b", "a.b.c.d", "a.b\n.c", "ä.b.c", "a.b.c\r\nX-Team-ID: support"])
def test_what_is_no_compact_jws_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="not a JSON Web Token") as refusal:
        read_identity(text)
    assert text not in str(refusal.value)


def test_three_parts_that_cannot_be_decoded_are_refused_without_being_quoted() -> None:
    with pytest.raises(ValueError, match="cannot be decoded") as refusal:
        read_identity("aaa.bbb.ccc")
    assert "aaa" not in str(refusal.value)
    assert refusal.value.__cause__ is None
