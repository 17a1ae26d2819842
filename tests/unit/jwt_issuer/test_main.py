import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from jwt_issuer.__main__ import main
from jwt_issuer.config import Settings
from jwt_issuer.folder import KeyFolder
from jwt_issuer.keys.signing_key import SigningKey

from .modes import mode


@pytest.fixture(autouse=True)
def environment(bare_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, teams_file: Path) -> None:
    monkeypatch.setenv("JWT_ISSUER_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("JWT_ISSUER_TEAMS", str(teams_file))


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def out(tmp_path: Path) -> str:
    return str(tmp_path / "alice.jwt")


def test_mint_decode_and_verify_go_together(out: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["mint", "alice", "--out", out, "--ttl", "60", "--audience", "tools", "--claim", "a=1", "--claim", "b=2"])
    assert capsys.readouterr().out == ""
    assert mode(Path(out)) == 0o600
    main(["decode", out])
    decoded = json.loads(capsys.readouterr().out)
    main(["verify", out, "--audience", "tools"])
    verified = json.loads(capsys.readouterr().out)
    assert (decoded["verified"], verified["verified"]) == (False, True)
    assert decoded["claims"] == verified["claims"]
    claims = decoded["claims"]
    assert (claims["aud"], claims["a"], claims["b"], claims["exp"] - claims["iat"]) == ("tools", "1", "2", 60)


def test_decode_needs_no_environment(out: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    main(["mint", "alice", "--out", out])
    monkeypatch.delenv("JWT_ISSUER_STATE")
    monkeypatch.delenv("JWT_ISSUER_TEAMS")
    main(["decode", out])
    assert json.loads(capsys.readouterr().out)["claims"]["sub"] == "alice"


def test_a_token_that_is_not_for_the_gateway_is_refused(out: str) -> None:
    main(["mint", "alice", "--out", out, "--audience", "tools"])
    with pytest.raises(SystemExit, match="a gateway refuses"):
        main(["verify", out])


def test_rotate_and_keys_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = SigningKey.generate(), SigningKey.generate()
    for key, name in ((first, "first.pem"), (second, "second.pem")):
        (tmp_path / name).write_bytes(key.pem())
    main(["rotate", "--key", str(tmp_path / "first.pem")])
    main(["rotate", "--key", str(tmp_path / "second.pem")])
    capsys.readouterr()
    main(["keys"])
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [[first.kid, "current"], [second.kid, "next"]]
    main(["rotate", "--at-once"])
    capsys.readouterr()
    main(["keys"])
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("command", [[], ["serve"], ["mint", "alice", "--out", "x"]])
def test_nothing_starts_with_a_bad_team_list(teams_file: Path, tmp_path: Path, command: list[str]) -> None:
    teams_file.write_text("teams: []", encoding="utf-8")
    with pytest.raises(SystemExit, match=f"{teams_file}: teams: the list is empty"):
        main(command)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("command", [["mint", "alice", "--out", "x"], ["rotate"], ["keys"]])
def test_nothing_starts_with_bad_keys(tmp_path: Path, command: list[str]) -> None:
    path = KeyFolder(tmp_path / "state").path
    path.parent.mkdir(parents=True)
    path.touch(mode=0o600)
    with pytest.raises(SystemExit, match=f"The file {path} is not a key ring. Restore it"):
        main(command)


@pytest.mark.parametrize("command", [["serve"], ["rotate"], ["keys"], ["verify", "x"], ["mint", "alice", "--out", "x"]])
def test_a_variable_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, out: str, command: list[str]) -> None:
    monkeypatch.delenv("JWT_ISSUER_STATE")
    with pytest.raises(SystemExit, match=r"JWT_ISSUER_STATE is not set. It is the folder"):
        main(command)


@pytest.mark.parametrize("command", [["mint", "alice"], ["mint", "--out", "x"], ["decode"], ["verify"], ["burn"]])
def test_a_command_that_lacks_something_says_what(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_help_names_every_variable_and_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    names = [f"JWT_ISSUER_{name.upper()}" for name in Settings.model_fields] + ["LOG_FORMAT"]
    assert [name for name in names if f"\n  {name} (" not in text] == []
    for command in ("serve", "mint", "decode", "verify", "rotate", "keys", "secret"):
        assert f"\n    {command} " in text


@pytest.mark.parametrize("command", ["serve", "mint", "decode", "verify", "rotate", "keys", "secret"])
def test_every_command_has_help_of_its_own(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: jwt-issuer {command}" in capsys.readouterr().out
