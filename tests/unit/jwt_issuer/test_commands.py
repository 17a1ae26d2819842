"""What each command does, asked as an operator asks; what was printed is what `capsys` has."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from jwt_issuer import commands
from jwt_issuer.config import Settings
from jwt_issuer.folder import KeyFolder
from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.keys.ring import KeyRing, State
from jwt_issuer.oauth.client_secrets import SecretHash

from .modes import mode
from .pems import a_curve, a_locked_key, a_public_key, a_small_key
from .rings import a_key


@pytest.fixture
def keys(settings: Settings) -> KeyFolder:
    """With one key, which signs since yesterday."""
    assert settings.state is not None
    folder = KeyFolder(settings.state)
    folder.update(lambda _: KeyRing.of(a_key(0), int(time.time()) - 86_400))
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "alice.jwt"


def claims_in(file: Path) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(file.read_text(), options={"verify_signature": False})
    return claims


def ring_of(keys: KeyFolder) -> KeyRing:
    ring = keys.read()
    assert ring is not None
    return ring


def states(keys: KeyFolder) -> dict[str, State]:
    return {place.key.kid: place.state for place in ring_of(keys).places(time.time())}


def signed(keys: KeyFolder, file: Path, key: int = 0, **claims: Any) -> Path:
    """A file with a token of alice's that has these claims."""
    now = int(time.time())
    usual = {"iss": "agentic-budgets", "aud": "mock-llm", "sub": "alice", "team": "dba", "iat": now, "exp": now + 60}
    headers = {"kid": a_key(key).kid}
    file.write_text(jwt.encode(usual | claims, a_key(key).private, algorithm="RS256", headers=headers))
    return file


def test_mint_writes_a_token_for_its_owner_alone_and_prints_nothing(
    settings: Settings, keys: KeyFolder, out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    umask = os.umask(0)
    commands.mint(settings, "alice", out)
    os.umask(umask)
    claims = Keychain(keys).verify(out.read_text(), issuer="agentic-budgets", audience="mock-llm")
    assert (claims["sub"], claims["team"], claims["exp"] - claims["iat"]) == ("alice", "dba", 86_400)
    assert mode(out) == 0o600
    assert capfd.readouterr() == ("", "")


def test_mint_makes_the_key_where_there_is_none_which_an_issuer_then_has_too(settings: Settings, out: Path) -> None:
    assert settings.state is not None
    commands.mint(settings, "alice", out)
    ring = KeyFolder(settings.state).read()
    assert ring is not None
    assert jwt.get_unverified_header(out.read_text())["kid"] == ring.keys[0].kid


def test_mint_tells_the_store_how_long_its_token_lives(settings: Settings, keys: KeyFolder, out: Path) -> None:
    commands.mint(settings, "alice", out, ttl=4000)
    assert ring_of(keys).keys[0].longest_ttl == 4000


def test_mint_takes_a_lifetime_an_audience_and_more_claims(settings: Settings, keys: KeyFolder, out: Path) -> None:
    commands.mint(settings, "dba", out, ttl=60, audience="tools", claims=["group=data", "note=a=b", "empty="])
    claims = claims_in(out)
    assert claims["exp"] - claims["iat"] == 60
    assert {name: claims[name] for name in ("sub", "team", "aud", "group", "note", "empty")} == {
        "sub": "dba",
        "team": "dba",
        "aud": "tools",
        "group": "data",
        "note": "a=b",
        "empty": "",
    }


@pytest.mark.parametrize("ttl", [-1, 0, 3601])
def test_mint_refuses_a_lifetime_beyond_the_longest(settings: Settings, keys: KeyFolder, out: Path, ttl: int) -> None:
    settings = settings.model_copy(update={"longest_ttl": 3600})
    with pytest.raises(SystemExit, match=f"--ttl {ttl} is not from 1 to 3600 seconds, which JWT_ISSUER_LONGEST_TTL allows"):
        commands.mint(settings, "alice", out, ttl=ttl)
    assert not out.exists()
    commands.mint(settings, "alice", out, ttl=3600)
    assert out.exists()


@pytest.mark.parametrize("name", ["iss", "sub", "team", "aud", "iat", "exp"])
def test_mint_refuses_a_claim_that_the_issuer_says_itself(settings: Settings, keys: KeyFolder, out: Path, name: str) -> None:
    with pytest.raises(SystemExit, match=f"--claim {name}: the issuer says this claim itself"):
        commands.mint(settings, "alice", out, claims=[f"{name}=x"])
    assert not out.exists()


@pytest.mark.parametrize("claim", ["group", "=data", ""])
def test_mint_refuses_what_is_no_claim(settings: Settings, keys: KeyFolder, out: Path, claim: str) -> None:
    with pytest.raises(SystemExit, match=f"--claim '{claim}' is not written name=value"):
        commands.mint(settings, "alice", out, claims=[claim])


def test_nobody_outside_the_list_gets_a_token(settings: Settings, out: Path) -> None:
    with pytest.raises(SystemExit, match="'eve' is not in the team list, which has dba, alice"):
        commands.mint(settings, "eve", out)
    assert not out.exists()


def test_mint_names_a_file_that_it_cannot_write(settings: Settings, keys: KeyFolder, tmp_path: Path) -> None:
    out = tmp_path / "absent" / "alice.jwt"
    with pytest.raises(SystemExit, match=f"{out} cannot be written: No such file or directory"):
        commands.mint(settings, "alice", out)


def test_decode_shows_the_claims_and_not_the_signature(keys: KeyFolder, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands.decode(signed(keys, out))
    printed = capsys.readouterr().out
    shown = json.loads(printed)
    assert shown["verified"] is False
    assert shown["header"] == {"alg": "RS256", "kid": a_key(0).kid, "typ": "JWT"}
    assert shown["claims"] == claims_in(out)
    assert not any(part in printed for part in out.read_text().split("."))


def test_decode_shows_a_token_that_nobody_would_take(keys: KeyFolder, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands.decode(signed(keys, out, key=1, exp=1))
    assert json.loads(capsys.readouterr().out)["claims"]["exp"] == 1


def test_a_line_end_behind_a_token_does_no_harm(keys: KeyFolder, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out.write_text(signed(keys, out).read_text() + "\n")
    commands.decode(out)
    assert json.loads(capsys.readouterr().out)["claims"]["sub"] == "alice"


@pytest.mark.parametrize("content", [b"", b"hello", b"a.b.c", b"\xff\xfe"])
def test_what_is_no_token_is_refused(settings: Settings, out: Path, content: bytes) -> None:
    out.write_bytes(content)
    said = rf"{out} does not hold a token\. Name a file"
    with pytest.raises(SystemExit, match=said):
        commands.decode(out)
    with pytest.raises(SystemExit, match=said):
        commands.verify(settings, out, None)


def test_a_file_that_is_not_there_is_named(settings: Settings, out: Path) -> None:
    said = rf"{out} cannot be read: No such file or directory\. Name the file"
    with pytest.raises(SystemExit, match=said):
        commands.decode(out)
    with pytest.raises(SystemExit, match=said):
        commands.verify(settings, out, None)


def test_verify_shows_what_a_good_token_says(
    settings: Settings, keys: KeyFolder, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.verify(settings, signed(keys, out), None)
    printed = capsys.readouterr().out
    assert json.loads(printed)["verified"] is True
    assert json.loads(printed)["claims"] == claims_in(out)
    assert not any(part in printed for part in out.read_text().split("."))


def test_verify_takes_a_token_of_a_key_that_retires(settings: Settings, keys: KeyFolder, out: Path) -> None:
    keys.update(
        lambda _: (
            ring_of(keys)
            .signing_for(7200, time.time())
            .with_next(a_key(1), int(time.time()) - 60)
            .announced(int(time.time()) - 60, 30)
        )
    )
    assert states(keys) == {a_key(0).kid: State.RETIRING, a_key(1).kid: State.CURRENT}
    commands.verify(settings, signed(keys, out), None)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1_700_000_000}, "Signature has expired"),
        ({"iss": "somebody-else"}, "Invalid issuer"),
        ({"aud": "somebody-else"}, "Audience doesn't match"),
    ],
)
def test_verify_says_why_a_gateway_would_refuse(
    settings: Settings, keys: KeyFolder, out: Path, claims: dict[str, Any], reason: str
) -> None:
    with pytest.raises(SystemExit, match=f"{out} holds a token that a gateway refuses: {reason}"):
        commands.verify(settings, signed(keys, out, **claims), None)


def test_verify_says_what_a_token_was_checked_for(settings: Settings, keys: KeyFolder, out: Path) -> None:
    with pytest.raises(
        SystemExit, match=r"[^.]\. It was checked for JWT_ISSUER_ISSUER=agentic-budgets and the audience tools\.$"
    ):
        commands.verify(settings, signed(keys, out), "tools")


def test_verify_may_be_for_another_audience(settings: Settings, keys: KeyFolder, out: Path) -> None:
    commands.verify(settings, signed(keys, out, aud="tools"), "tools")
    with pytest.raises(SystemExit, match="Audience doesn't match"):
        commands.verify(settings, signed(keys, out), "tools")


def test_verify_refuses_a_token_that_somebody_changed(settings: Settings, keys: KeyFolder, out: Path) -> None:
    header, _, signature = signed(keys, out).read_text().split(".")
    payload = signed(keys, out, team="support").read_text().split(".")[1]
    out.write_text(f"{header}.{payload}.{signature}")
    with pytest.raises(SystemExit, match="a gateway refuses: Signature verification failed"):
        commands.verify(settings, out, None)


def test_verify_refuses_a_token_of_a_key_that_is_gone(settings: Settings, keys: KeyFolder, out: Path) -> None:
    signed(keys, out)
    commands.rotate(settings, None, at_once=True)
    with pytest.raises(SystemExit, match="a gateway refuses: it is signed by a key that is not in the key set"):
        commands.verify(settings, out, None)


def test_verify_makes_no_key_where_there_is_none(settings: Settings, keys: KeyFolder, out: Path) -> None:
    signed(keys, out)
    keys.path.unlink()
    with pytest.raises(SystemExit, match="There is no key yet; the issuer makes one when it starts"):
        commands.verify(settings, out, None)
    assert keys.read() is None


def test_a_secret_goes_into_a_file_for_its_owner_alone_and_only_its_hash_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ci.secret"
    commands.secret(out)
    printed = capfd.readouterr()
    assert SecretHash.parse(printed.out.strip()).matches(out.read_text())
    assert out.read_text() not in "".join(printed)
    assert mode(out) == 0o600


def test_a_secret_that_may_be_in_use_is_not_overwritten(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "ci.secret"
    out.write_text("in use")
    with pytest.raises(
        SystemExit, match=f"{out} is there already, and may be the secret of a client that uses it. Name another"
    ):
        commands.secret(out)
    assert out.read_text() == "in use"
    assert capfd.readouterr().out == ""


def test_rotate_adds_a_key_that_the_issuer_is_to_publish(
    settings: Settings, keys: KeyFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.rotate(settings, None, at_once=False)
    first, second = ring_of(keys).keys
    assert states(keys) == {a_key(0).kid: State.CURRENT, second.kid: State.NEXT}
    assert first.kid == a_key(0).kid
    assert (second.published, second.signs_from) == (None, None)
    assert capsys.readouterr().out == (
        f"The key {second.kid} is next. The issuer publishes it within seconds, or as soon as it runs, and lets it sign after "
        "JWT_ISSUER_OVERLAP. `jwt-issuer keys` says when that is.\n"
    )


def test_rotate_is_refused_while_a_key_waits(settings: Settings, keys: KeyFolder) -> None:
    commands.rotate(settings, None, at_once=False)
    before = keys.path.read_bytes()
    with pytest.raises(SystemExit, match=r"waits already, and signs once it is published\. Rotate again after that"):
        commands.rotate(settings, None, at_once=False)
    assert keys.path.read_bytes() == before
    keys.update(lambda _: ring_of(keys).announced(int(time.time()), 600))
    with pytest.raises(SystemExit, match=r"waits already, and signs in \d+ s\. Rotate again after that"):
        commands.rotate(settings, None, at_once=False)


def test_rotate_at_once_leaves_one_key_and_no_other(
    settings: Settings, keys: KeyFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.rotate(settings, None, at_once=False)
    capsys.readouterr()
    commands.rotate(settings, None, at_once=True)
    (only,) = ring_of(keys).keys
    assert only.signs_from is not None
    assert only.signs_from <= time.time()
    assert only.kid != a_key(0).kid
    assert capsys.readouterr().out == f"The key {only.kid} signs from now on, and no other is valid any more.\n"


def test_rotate_makes_the_first_key_where_there_is_none(settings: Settings) -> None:
    assert settings.state is not None
    commands.rotate(settings, None, at_once=False)
    assert set(states(KeyFolder(settings.state)).values()) == {State.CURRENT}


@pytest.mark.parametrize("at_once", [True, False])
def test_rotate_imports_a_key(
    settings: Settings, keys: KeyFolder, tmp_path: Path, at_once: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.pem"
    file.write_bytes(a_key(1).pem())
    commands.rotate(settings, file, at_once)
    assert states(keys)[a_key(1).kid] == (State.CURRENT if at_once else State.NEXT)
    assert ring_of(keys).keys[-1].signing.pem() == a_key(1).pem()
    assert mode(keys.path) == 0o600
    assert not any(line in capsys.readouterr().out for line in a_key(1).pem().decode().splitlines())


def test_rotate_does_not_import_the_key_that_is_there(settings: Settings, keys: KeyFolder, tmp_path: Path) -> None:
    file = tmp_path / "mine.pem"
    file.write_bytes(a_key(0).pem())
    with pytest.raises(SystemExit, match="is in the ring already"):
        commands.rotate(settings, file, at_once=False)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (a_small_key, "has 1024 bits, fewer than 2048"),
        (a_curve, "is not an RSA key"),
        (a_locked_key, "is not a private key in unencrypted PEM"),
        (a_public_key, "is not a private key in unencrypted PEM"),
        (lambda: b"SECRET", "is not a private key in unencrypted PEM"),
    ],
)
def test_rotate_refuses_a_key_that_will_not_do_and_changes_nothing(
    settings: Settings, keys: KeyFolder, tmp_path: Path, content: Callable[[], bytes], reason: str
) -> None:
    file = tmp_path / "mine.pem"
    file.write_bytes(content())
    before = keys.path.read_bytes()
    with pytest.raises(SystemExit) as refused:
        commands.rotate(settings, file, at_once=True)
    assert str(refused.value) == f"{file} {reason}. Name one that `openssl genrsa 2048` wrote."
    assert keys.path.read_bytes() == before


def test_rotate_names_a_key_file_that_is_not_there(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=f"{tmp_path}/absent.pem cannot be read: No such file or directory"):
        commands.rotate(settings, tmp_path / "absent.pem", at_once=False)


def test_keys_are_listed_with_their_state_and_times(
    settings: Settings, keys: KeyFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1_700_000_000
    future = 4_000_000_000
    keys.update(
        lambda _: (
            KeyRing.of(a_key(0), now)
            .signing_for(3600, now)
            .with_next(a_key(1), now + 86_400)
            .announced(now + 86_400, 600)
            .with_next(a_key(2), future)
            .announced(future, 600)
        )
    )
    keys.update(lambda _: ring_of(keys).signing_for(future, now + 50))
    commands.keys(settings)
    head, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert head == ["kid", "state", "published", "signs", "from", "leaves"]
    assert [(row[0], row[1]) for row in rows] == [
        (a_key(0).kid, "retiring"),
        (a_key(1).kid, "current"),
        (a_key(2).kid, "next"),
    ]
    assert [row[2:4] for row in rows] == [
        ["2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z"],
        ["2023-11-15T22:13:20Z", "2023-11-15T22:23:20Z"],
        ["2096-10-02T07:06:40Z", "2096-10-02T07:16:40Z"],
    ]
    assert [len(row) for row in rows] == [5, 5, 4]


def test_a_key_that_waits_to_be_published_is_listed_without_times(
    settings: Settings, keys: KeyFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.rotate(settings, None, at_once=False)
    capsys.readouterr()
    commands.keys(settings)
    current, waiting = capsys.readouterr().out.splitlines()[1:]
    assert waiting.split() == [ring_of(keys).keys[1].kid, "next"]
    # When a key leaves is not known as long as nobody knows when the next one signs.
    assert len(current.split()) == 4


def test_a_key_that_has_left_is_not_listed(settings: Settings, keys: KeyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    keys.update(lambda _: KeyRing.of(a_key(0), 1_600_000_000).with_next(a_key(1), 1_700_000_000).announced(1_700_000_000, 600))
    commands.keys(settings)
    printed = capsys.readouterr().out
    assert a_key(1).kid in printed
    assert a_key(0).kid not in printed


def test_a_listing_of_no_keys_makes_none(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert settings.state is not None
    commands.keys(settings)
    assert capsys.readouterr().out == "There is no key yet; the issuer makes one when it starts.\n"
    assert not settings.state.exists()


def test_no_command_prints_a_secret(settings: Settings, keys: KeyFolder, out: Path, capfd: pytest.CaptureFixture[str]) -> None:
    commands.mint(settings, "alice", out)
    commands.decode(out)
    commands.verify(settings, out, None)
    commands.rotate(settings, None, at_once=False)
    commands.keys(settings)
    printed = "".join(capfd.readouterr())
    lines = [line for key in ring_of(keys).keys for line in key.signing.pem().decode().splitlines()]
    assert not any(secret in printed for secret in (*lines, *out.read_text().split(".")))
