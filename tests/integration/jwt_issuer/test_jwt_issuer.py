from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from tests.integration.mock_llm.serving import PATIENCE, a_process, free_port, serving

TEAMS = """\
teams:
  - {name: dba, description: Databases., users: [alice, bob]}
  - {name: support, description: Customers., users: [carol]}
"""
SUBJECTS = {"dba": "dba", "alice": "dba", "bob": "dba", "support": "support", "carol": "support"}


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    teams = tmp_path / "teams.yaml"
    teams.write_text(TEAMS, encoding="utf-8")
    yield {"JWT_ISSUER_STATE": str(tmp_path / "state"), "JWT_ISSUER_TEAMS": str(teams)}


def tokens_in(state: str) -> dict[str, str]:
    return {path.stem: path.read_text() for path in Path(state, "tokens").glob("*.jwt")}


def verified(token: str, issuer_url: str) -> dict[str, Any]:
    key = jwt.PyJWKClient(f"{issuer_url}/.well-known/jwks.json").get_signing_key_from_jwt(token)
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], audience="mock-llm", issuer="agentic-budgets", leeway=0
    )
    return claims


def kid_of(url: str) -> str:
    kid: str = httpx.get(f"{url}/.well-known/jwks.json", trust_env=False).json()["keys"][0]["kid"]
    return kid


def test_a_healthy_issuer_has_a_verifiable_token_on_disk_for_every_team_and_user(environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment) as (_, url):
        claims = {sub: verified(token, url) for sub, token in tokens_in(environment["JWT_ISSUER_STATE"]).items()}
    assert {sub: claim["team"] for sub, claim in claims.items()} == SUBJECTS
    assert all(claim["sub"] == sub for sub, claim in claims.items())
    assert all(claim["exp"] - claim["iat"] == 86_400 for claim in claims.values())


def test_the_key_and_old_tokens_survive_kill_9(environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment) as (process, url):
        kid, before = kid_of(url), tokens_in(environment["JWT_ISSUER_STATE"])
        process.kill()
        process.wait(PATIENCE)
    with serving("jwt_issuer", **environment) as (_, url):
        assert kid_of(url) == kid
        assert {sub: verified(token, url)["team"] for sub, token in before.items()} == SUBJECTS


def test_issuers_that_start_at_once_on_one_folder_have_one_key(environment: dict[str, str]) -> None:
    with ExitStack() as stack:
        out = [Path(environment["JWT_ISSUER_STATE"] + f"-{index}.jwt") for index in range(4)]
        processes = [
            stack.enter_context(a_process("jwt_issuer", "mint", "alice", "--out", str(path), **environment)) for path in out
        ]
        assert [process.wait(PATIENCE) for process in processes] == [0, 0, 0, 0]
    assert len({jwt.get_unverified_header(path.read_text())["kid"] for path in out}) == 1


def test_tokens_are_renewed_while_it_runs(environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment | {"JWT_ISSUER_TTL": "4"}) as (process, url):
        first = tokens_in(environment["JWT_ISSUER_STATE"])["alice"]
        assert process.stderr is not None
        renewals = (line for line in process.stderr if "Wrote 5 tokens" in line)
        assert [next(renewals) for _ in range(2)]
        second = tokens_in(environment["JWT_ISSUER_STATE"])["alice"]
        assert verified(second, url)["iat"] > jwt.decode(first, options={"verify_signature": False})["iat"]


def test_no_token_and_no_key_is_in_the_log(environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment) as (process, _):
        process.terminate()
        log = process.communicate(timeout=PATIENCE)[1]
    assert "Wrote 5 tokens" in log
    assert not any(token.rpartition(".")[2] in log for token in tokens_in(environment["JWT_ISSUER_STATE"]).values())
    assert "BEGIN" not in log


def test_an_issuer_whose_port_is_taken_leaves_the_other_ones_tokens_alone(environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment) as (_, url):
        before = tokens_in(environment["JWT_ISSUER_STATE"])
        second = environment | {"JWT_ISSUER_PORT": url.rpartition(":")[2], "JWT_ISSUER_ISSUER": "somebody-else"}
        with a_process("jwt_issuer", **second) as process:
            assert process.wait(PATIENCE) == 1
            assert process.stderr is not None
            assert "Set JWT_ISSUER_PORT to an address that is free." in process.stderr.read()
        assert tokens_in(environment["JWT_ISSUER_STATE"]) == before


def test_an_issuer_that_cannot_write_its_tokens_does_not_start(environment: dict[str, str]) -> None:
    state = Path(environment["JWT_ISSUER_STATE"])
    state.mkdir()
    (state / "tokens").write_text("in the way")
    with a_process("jwt_issuer", **environment | {"JWT_ISSUER_PORT": str(free_port())}) as process:
        assert process.wait(PATIENCE) == 1
        assert process.stderr is not None
        assert f"{state}/tokens: File exists." in process.stderr.read()
