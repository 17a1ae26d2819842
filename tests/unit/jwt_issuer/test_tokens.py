from pathlib import Path
from typing import Any

import jwt
import pytest

from jwt_issuer.keys import SigningKey
from jwt_issuer.tokens import Mint, Subject, TokenFiles, subjects_of
from service.teams import Team

from .modes import mode

ALICE = Subject("alice", "dba")
NOW = 1_700_000_000.9


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
    token = mint.token(ALICE, NOW)
    assert verified(token, key) == {
        "iss": "agentic-budgets",
        "sub": "alice",
        "team": "dba",
        "aud": "mock-llm",
        "iat": 1_700_000_000,
        "exp": 1_700_000_600,
    }
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "kid": key.kid}


def test_the_files_hold_one_token_each_and_nothing_else(tmp_path: Path, mint: Mint, key: SigningKey) -> None:
    TokenFiles(tmp_path / "tokens", mint, (ALICE, Subject("dba", "dba"))).write(NOW)
    files = sorted((tmp_path / "tokens").iterdir())
    assert [file.name for file in files] == ["alice.jwt", "dba.jwt"]
    assert [verified(file.read_text(), key)["sub"] for file in files] == ["alice", "dba"]
    assert {mode(file) for file in files} == {0o600}
    assert mode(tmp_path / "tokens") == 0o700
    assert not any(character.isspace() for character in files[0].read_text())


def test_minting_again_replaces_the_tokens(tmp_path: Path, mint: Mint, key: SigningKey) -> None:
    files = TokenFiles(tmp_path, mint, (ALICE,))
    files.write(NOW)
    files.write(NOW + 300)
    assert verified((tmp_path / "alice.jwt").read_text(), key)["exp"] == 1_700_000_900


def test_the_file_of_someone_who_left_goes_and_what_is_no_token_stays(tmp_path: Path, mint: Mint) -> None:
    TokenFiles(tmp_path, mint, (ALICE, Subject("bob", "dba"))).write(NOW)
    (tmp_path / "README").write_text("mine")
    TokenFiles(tmp_path, mint, (ALICE,)).write(NOW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README", "alice.jwt"]


def test_a_mint_shows_no_key_in_a_log(mint: Mint, key: SigningKey) -> None:
    assert str(key.private.private_numbers().d) not in repr(mint)


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path, mint: Mint) -> None:
    (tmp_path / "alice.jwt").mkdir()
    with pytest.raises(OSError, match="alice"):
        TokenFiles(tmp_path, mint, (ALICE,)).write(NOW)
