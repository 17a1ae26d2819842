import json
from pathlib import Path

import jwt
import pytest

from jwt_issuer.__main__ import main
from jwt_issuer.config import Settings

from .modes import mode


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, teams_file: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"JWT_ISSUER_{name.upper()}", raising=False)
    monkeypatch.setenv("JWT_ISSUER_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("JWT_ISSUER_TEAMS", str(teams_file))


def test_mint_writes_a_token_for_its_owner_alone_and_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "alice.jwt"
    main(["mint", "alice", "--out", str(out)])
    claims = jwt.decode(out.read_text(), options={"verify_signature": False})
    assert (claims["sub"], claims["team"]) == ("alice", "dba")
    assert mode(out) == 0o600
    assert capfd.readouterr() == ("", "")


def test_nobody_outside_the_list_gets_a_token(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="'eve' is not in the team list, which has dba, alice"):
        main(["mint", "eve", "--out", str(tmp_path / "eve.jwt")])
    assert not (tmp_path / "eve.jwt").exists()


def test_mint_names_a_file_that_it_cannot_write(tmp_path: Path) -> None:
    out = tmp_path / "absent" / "alice.jwt"
    with pytest.raises(SystemExit, match=f"{out} cannot be written: No such file or directory"):
        main(["mint", "alice", "--out", str(out)])


def test_decode_shows_the_claims_and_not_the_signature(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "alice.jwt"
    main(["mint", "alice", "--out", str(out)])
    main(["decode", str(out)])
    printed = capsys.readouterr().out
    shown = json.loads(printed)
    assert shown["verified"] is False
    assert shown["header"]["typ"] == "JWT"
    assert shown["claims"]["aud"] == "mock-llm"
    assert not any(part in printed for part in out.read_text().split("."))


@pytest.mark.parametrize("content", [b"", b"hello", b"a.b.c", b"\xff\xfe"])
def test_decode_refuses_what_is_no_token(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(SystemExit, match=f"{path} does not hold a token"):
        main(["decode", str(path)])


def test_decode_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=f"{tmp_path}/absent.jwt: No such file or directory"):
        main(["decode", f"{tmp_path}/absent.jwt"])


@pytest.mark.parametrize("command", [[], ["serve"]])
def test_the_issuer_does_not_start_with_a_bad_team_list(teams_file: Path, command: list[str]) -> None:
    teams_file.write_text("teams: []", encoding="utf-8")
    with pytest.raises(SystemExit, match=f"{teams_file}: teams: the list is empty"):
        main(command)


def test_the_issuer_does_not_start_with_a_bad_key(tmp_path: Path) -> None:
    (tmp_path / "state" / "keys").mkdir(parents=True)
    (tmp_path / "state" / "keys" / "signing.pem").touch(mode=0o600)
    with pytest.raises(SystemExit, match=r"The signing key .*signing\.pem is not a private key"):
        main([])


def test_help_names_every_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(f"JWT_ISSUER_{name.upper()}" in text for name in Settings.model_fields)
