from pathlib import Path

import pytest

from agents.kagent.headers import Caller, TokenFile


def caller(file: Path) -> Caller:
    return Caller("kagent-system", "dba-agent", TokenFile(file))


def test_it_says_who_calls_and_for_whom(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("abc\n")
    assert caller(file).headers("alice") == {
        b"x-agent-name": b"kagent_system__NS__dba_agent",
        b"x-user-id": b"alice",
        b"authorization": b"Bearer abc",
    }


def test_a_users_name_goes_out_in_the_bytes_in_which_it_came(tmp_path: Path) -> None:
    came = "zoë".encode()
    assert caller(tmp_path / "none").headers(came.decode("latin-1"))[b"x-user-id"] == came


def test_a_token_that_was_renewed_is_used(tmp_path: Path) -> None:
    file = tmp_path / "token"
    mine = caller(file)
    assert b"authorization" not in mine.headers("")
    for token in ("one", "two"):
        renewed = tmp_path / "renewed"
        renewed.write_text(token)
        # As kubelet does it.
        renewed.rename(file)
        assert mine.headers("")[b"authorization"] == f"Bearer {token}".encode()
    file.unlink()
    assert b"authorization" not in mine.headers("")


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", "tökén".encode(), b"\xff"])
def test_what_no_header_can_carry_is_no_token_and_is_not_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    assert b"authorization" not in caller(file).headers("")
    assert "two" not in caplog.text
    assert "tök" not in caplog.text
