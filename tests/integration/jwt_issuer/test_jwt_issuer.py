import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from jwt_issuer.folder import KeyFolder
from jwt_issuer.keys.ring import KeyRing
from jwt_issuer.keys.signing_key import SigningKey
from tests.integration.mock_llm.serving import PATIENCE, a_process, free_port, serving, wait_until_healthy

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


def get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, trust_env=False)


def kids_of(url: str) -> list[str]:
    """Of the key set that is served, in its order."""
    return [key["kid"] for key in get(f"{url}/.well-known/jwks.json").json()["keys"]]


def kid_in(token: str) -> str:
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


def command(environment: dict[str, str], *arguments: str) -> None:
    """Run to its end, which is to be a good one."""
    with a_process("jwt_issuer", *arguments, **environment) as process:
        ended = process.wait(PATIENCE)
        assert process.stderr is not None
        assert ended == 0, process.stderr.read()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s for {what}"
        time.sleep(0.02)


def ring_in(environment: dict[str, str]) -> KeyRing:
    ring = KeyFolder(Path(environment["JWT_ISSUER_STATE"])).read()
    assert ring is not None
    return ring


def test_a_healthy_issuer_has_a_verifiable_token_on_disk_for_every_team_and_user(environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment) as (_, url):
        claims = {sub: verified(token, url) for sub, token in tokens_in(environment["JWT_ISSUER_STATE"]).items()}
    assert {sub: claim["team"] for sub, claim in claims.items()} == SUBJECTS
    assert all(claim["sub"] == sub for sub, claim in claims.items())
    assert all(claim["exp"] - claim["iat"] == 86_400 for claim in claims.values())


def test_the_key_and_old_tokens_survive_kill_9(environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment) as (process, url):
        kids, before = kids_of(url), tokens_in(environment["JWT_ISSUER_STATE"])
        process.kill()
        process.wait(PATIENCE)
    with serving("jwt_issuer", **environment) as (_, url):
        assert kids_of(url) == kids
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
    keys = [line for key in ring_in(environment).keys for line in key.signing.pem().decode().splitlines()]
    assert not any(line in log for line in keys)


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
        assert f"{state}/tokens/dba.jwt: Not a directory. Name a place" in process.stderr.read()


def test_an_issuer_that_is_asked_to_stop_ends_well(environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment) as (process, url):
        assert get(f"{url}/readyz").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
        with pytest.raises(httpx.ConnectError):
            get(f"{url}/readyz")


def test_a_log_for_a_collector_has_one_object_a_line(environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment | {"LOG_FORMAT": "json"}) as (process, _):
        process.terminate()
        lines = process.communicate(timeout=PATIENCE)[1].splitlines()
    messages = [json.loads(line)["message"] for line in lines]
    assert any(message.startswith("listens on http://") for message in messages)
    assert any(message.startswith("Wrote 5 tokens") for message in messages)


def test_a_key_set_has_one_document_for_all_who_read_it(environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment) as (_, url):
        served = get(f"{url}/.well-known/jwks.json")
        assert served.headers["cache-control"] == "public, max-age=300"
        assert Path(environment["JWT_ISSUER_STATE"], "jwks.json").read_bytes() == served.content


def test_a_next_key_is_served_soon_after_it_was_made_and_does_not_sign_yet(environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment) as (_, url):
        (first,) = kids_of(url)
        command(environment, "rotate")
        wait_until(lambda: len(kids_of(url)) == 2, "the next key")
        assert kids_of(url) == [first, ring_in(environment).keys[1].kid]
        file = Path(environment["JWT_ISSUER_STATE"], "jwks.json")
        assert [key["kid"] for key in json.loads(file.read_text())["keys"]] == kids_of(url)
        command(environment, "mint", "alice", "--out", f"{file}.jwt")
        assert kid_in(Path(f"{file}.jwt").read_text()) == first


def test_the_next_key_signs_after_the_overlap_and_what_was_signed_before_stays_good(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment |= {"JWT_ISSUER_MAX_AGE": "1", "JWT_ISSUER_OVERLAP": "2"}
    with serving("jwt_issuer", **environment) as (_, url):
        (first,) = kids_of(url)
        before = tokens_in(environment["JWT_ISSUER_STATE"])
        command(environment, "rotate")
        second = ring_in(environment).keys[1].kid
        wait_until(lambda: kids_of(url) == [second, first], "the next key to sign")
        command(environment, "mint", "alice", "--out", str(tmp_path / "alice.jwt"))
        after = (tmp_path / "alice.jwt").read_text()
        assert kid_in(after) == second
        assert {sub: verified(token, url)["team"] for sub, token in before.items()} == SUBJECTS
        assert verified(after, url)["sub"] == "alice"


def test_a_key_that_was_added_while_nobody_served_is_published_first(environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment) as (_, url):
        (first,) = kids_of(url)
    command(environment, "rotate")
    waiting = ring_in(environment).keys[1]
    assert waiting.signs_from is None
    with serving("jwt_issuer", **environment) as (_, url):
        assert kids_of(url) == [first, waiting.kid]
        published = ring_in(environment).keys[1]
        assert (published.signs_from or 0) - (published.published or 0) == 1200
        assert abs((published.published or 0) - time.time()) < PATIENCE


def test_keys_that_are_deleted_are_made_anew_and_everyone_has_a_new_token(environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment) as (_, url):
        (first,) = kids_of(url)
        file = KeyFolder(Path(environment["JWT_ISSUER_STATE"])).path
        file.unlink()
        wait_until(file.exists, "a new key")
        only = ring_in(environment).keys[0].kid
        assert only != first
        wait_until(lambda: kids_of(url) == [only], "the new key")
        wait_until(
            lambda: {kid_in(token) for token in tokens_in(environment["JWT_ISSUER_STATE"]).values()} == {only}, "new tokens"
        )


def test_a_leaked_key_is_gone_at_once_and_everyone_has_a_new_token(environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment) as (_, url):
        before = tokens_in(environment["JWT_ISSUER_STATE"])
        command(environment, "rotate", "--at-once")
        only = ring_in(environment).keys[0].kid
        wait_until(lambda: kids_of(url) == [only], "the new key")
        wait_until(
            lambda: {kid_in(token) for token in tokens_in(environment["JWT_ISSUER_STATE"]).values()} == {only}, "new tokens"
        )
        after = tokens_in(environment["JWT_ISSUER_STATE"])
        assert {sub: verified(token, url)["team"] for sub, token in after.items()} == SUBJECTS
        with pytest.raises(jwt.PyJWKClientError):
            verified(before["alice"], url)


def test_an_imported_key_signs_what_an_issuer_elsewhere_knows(environment: dict[str, str], tmp_path: Path) -> None:
    key = SigningKey.generate()
    (tmp_path / "mine.pem").write_bytes(key.pem())
    command(environment, "rotate", "--key", str(tmp_path / "mine.pem"))
    with serving("jwt_issuer", **environment) as (_, url):
        assert kids_of(url) == [key.kid]
        tokens = tokens_in(environment["JWT_ISSUER_STATE"])
    assert {kid_in(token) for token in tokens.values()} == {key.kid}


def test_two_issuers_on_one_folder_serve_the_same_keys_through_a_rotation(environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment) as (_, one), serving("jwt_issuer", **environment) as (_, other):
        assert kids_of(one) == kids_of(other)
        command(environment, "rotate")
        wait_until(lambda: len(kids_of(one)) == len(kids_of(other)) == 2, "the next key")
        assert kids_of(one) == kids_of(other)
        tokens = tokens_in(environment["JWT_ISSUER_STATE"])
        assert {sub: verified(token, other)["team"] for sub, token in tokens.items()} == SUBJECTS


def test_two_issuers_that_rotate_by_themselves_make_one_key_a_time(environment: dict[str, str]) -> None:
    environment |= {"JWT_ISSUER_MAX_AGE": "1", "JWT_ISSUER_OVERLAP": "2", "JWT_ISSUER_ROTATE_EVERY": "3"}
    # Longer than the test, so that no key leaves.
    environment |= {f"JWT_ISSUER_{name}": "48" for name in ("TTL", "LONGEST_TTL", "CLIENT_TTL")}
    with serving("jwt_issuer", **environment) as (_, one), serving("jwt_issuer", **environment) as (_, other):
        wait_until(lambda: sum(key.signs_from is not None for key in ring_in(environment).keys) >= 3, "two rotations")
        keys = ring_in(environment).keys[:3]
        kids = {key.kid for key in keys}
        wait_until(lambda: kids <= set(kids_of(one)) & set(kids_of(other)), "all keys")
    times = [(key.published or 0, key.signs_from or 0) for key in keys]
    assert all(later[1] - earlier[1] >= 3 for earlier, later in itertools.pairwise(times))
    assert all(signs_from - published == 2 for published, signs_from in times[1:])


COUNT_UP = """
import sys
from pathlib import Path
from jwt_issuer.folder import KeyFolder
from jwt_issuer.keys.keychain import Keychain

keychain = Keychain(KeyFolder(Path(sys.argv[1])))
for ttl in range(1, 10**9):
    keychain.sign({}, ttl)
    print(ttl, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 4, 9])
def test_kill_9_in_the_middle_of_a_change_loses_nothing_that_was_done(environment: dict[str, str], lines: int) -> None:
    state = environment["JWT_ISSUER_STATE"]
    with subprocess.Popen([sys.executable, "-c", COUNT_UP, state], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        done = [int(next(process.stdout)) for _ in range(lines)]
        process.kill()
        done += [int(line) for line in process.stdout if line.endswith("\n")]
    (key,) = ring_in(environment).keys
    assert key.longest_ttl in {done[-1], done[-1] + 1}
    command(environment, "rotate")
    assert [each.kid for each in ring_in(environment).keys][:1] == [key.kid]
    assert {path.stat().st_mode & 0o077 for path in Path(state, "keys").iterdir() if path.name != ".lock"} == {0}


def test_a_strict_client_finds_all_that_openid_connect_discovery_asks_for(environment: dict[str, str]) -> None:
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    environment |= {"JWT_ISSUER_PORT": str(port), "JWT_ISSUER_ISSUER": issuer}
    with a_process("jwt_issuer", **environment) as process:
        wait_until_healthy(process, issuer)
        response = get(f"{issuer}/.well-known/openid-configuration")
        assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
        found = response.json()
        # Section 4.3: exactly the address that was asked; section 3: what is REQUIRED where nobody logs in.
        assert found["issuer"] == issuer
        assert {"jwks_uri", "token_endpoint", "response_types_supported", "subject_types_supported"} <= set(found)
        assert "RS256" in found["id_token_signing_alg_values_supported"]
        assert all(isinstance(found[name], list) for name in found if name.endswith("_supported"))
        keys = get(found["jwks_uri"]).json()["keys"]
        assert all(key["use"] == "sig" and key["alg"] in found["id_token_signing_alg_values_supported"] for key in keys)
        token = tokens_in(environment["JWT_ISSUER_STATE"])["alice"]
        signing = jwt.PyJWKClient(found["jwks_uri"]).get_signing_key_from_jwt(token)
        claims = jwt.decode(token, signing, algorithms=["RS256"], audience="mock-llm", issuer=found["issuer"])
        assert set(claims) <= set(found["claims_supported"])


def test_the_issuer_is_one_inside_and_outside(environment: dict[str, str]) -> None:
    path = "/.well-known/openid-configuration"
    with serving("jwt_issuer", **environment) as (_, url):
        inside, outside = get(url + path).json(), get(url + path, host="tokens.example.com").json()
        assert inside["issuer"] == outside["issuer"] == "agentic-budgets"
        assert inside["jwks_uri"] == f"{url}/.well-known/jwks.json"
        assert outside["jwks_uri"] == "http://tokens.example.com/.well-known/jwks.json"
