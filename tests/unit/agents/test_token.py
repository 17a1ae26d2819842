"""Whose token goes to the gateway, and when another one takes its place."""

import os
from pathlib import Path

import httpx
import pytest
from langchain_core.messages import HumanMessage

from agents.outcomes import Answered, IdentityRefused, Outcome
from agents.token import LARGEST, Token, read_token
from tests.unit.agents.doubles import Gateway, answer, completion, llm_through, token

pytestmark = pytest.mark.anyio

OLD, NEW = token(team="dba", jti="old"), token(team="dba", jti="new")
EXPIRED = httpx.Response(401, text="Jwt is expired")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(OLD)
    return file


def renew(file: Path, content: str) -> None:
    file.write_text(content)
    os.utime(file, ns=(1, 1))


def bearers(gateway: Gateway) -> list[str]:
    return [request.headers["authorization"].removeprefix("Bearer ") for request in gateway.requests]


async def ask(gateway: Gateway, file: Path) -> Outcome:
    async with llm_through(gateway, llm_jwt_file=file) as llm:
        return await llm([HumanMessage("hi")])


async def test_a_file_is_read_again_when_it_changes(file: Path) -> None:
    gateway = Gateway(answer(200, completion()))
    async with llm_through(gateway, llm_jwt_file=file) as llm:
        await llm([HumanMessage("hi")])
        renew(file, f"{NEW}\n")
        await llm([HumanMessage("hi")])
    assert bearers(gateway) == [OLD, NEW]


def test_a_file_is_not_read_again_while_it_stays(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Token(OLD, file)
    monkeypatch.setattr(Path, "open", None)
    assert [held.current(), held.current()] == [OLD, OLD]


def test_a_mounted_secret_is_renewed_by_moving_a_link(tmp_path: Path) -> None:
    for name, content in (("1", OLD), ("2", NEW)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(content)
        os.utime(tmp_path / name / "token", ns=(1, 1))
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "token").symlink_to("..data/token")
    held = Token(read_token(tmp_path / "token"), tmp_path / "token")
    assert held.current() == OLD
    (tmp_path / "..data_tmp").symlink_to("2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert held.current() == NEW


@pytest.mark.parametrize("content", ["", "rubbish", token(sub="dba"), "x" * LARGEST * 2, "ä.ö.ü"])
def test_a_new_content_that_is_no_token_keeps_the_old_one_and_is_told_once(
    file: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    held = Token(OLD, file)
    renew(file, content)
    assert [held.current(), held.current()] == [OLD, OLD]
    (record,) = caplog.records
    assert "the token from before is kept" in record.getMessage()
    assert not content or content not in caplog.text


def test_a_file_that_went_away_keeps_the_token_and_one_that_comes_back_is_read(file: Path) -> None:
    held = Token(OLD, file)
    file.unlink()
    assert held.current() == OLD
    assert not held.renew()
    file.write_text(NEW)
    assert held.current() == NEW


def test_a_variable_is_never_renewed() -> None:
    held = Token(OLD)
    assert held.current() == OLD
    assert not held.renew()


@pytest.mark.parametrize("content", ["rubbish", "a.b.c", token(team="")])
def test_a_file_without_a_token_is_named_and_not_quoted(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(ValueError, match="holds no token of a team: it") as refusal:
        read_token(file)
    assert str(file) in str(refusal.value)
    assert content not in str(refusal.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none cannot be read: No such file"):
        read_token(tmp_path / "none")


class Renewing(Gateway):
    """A gateway that refuses the old token; the file is renewed while the request is under way, its stamp unchanged."""

    def __init__(self, file: Path, *answers: httpx.Response) -> None:
        super().__init__(*answers)
        self._file = file

    def __call__(self, request: httpx.Request) -> httpx.Response:
        before = self._file.stat()
        self._file.write_text(NEW)
        os.utime(self._file, ns=(before.st_atime_ns, before.st_mtime_ns))
        return super().__call__(request)


async def test_a_401_with_a_file_that_changed_meanwhile_is_asked_exactly_twice(file: Path) -> None:
    gateway = Renewing(file, EXPIRED, answer(200, completion()))
    assert isinstance(await ask(gateway, file), Answered)
    assert bearers(gateway) == [OLD, NEW]


async def test_a_401_for_the_new_token_too_is_the_end(file: Path) -> None:
    gateway = Renewing(file, EXPIRED)
    assert await ask(gateway, file) == IdentityRefused(401, "Jwt is expired")
    assert bearers(gateway) == [OLD, NEW]


async def test_a_401_with_a_file_that_did_not_change_is_asked_exactly_once(file: Path) -> None:
    gateway = Gateway(EXPIRED)
    assert isinstance(await ask(gateway, file), IdentityRefused)
    assert len(gateway.requests) == 1


async def test_a_403_is_not_asked_again_whatever_the_file_says(file: Path) -> None:
    gateway = Renewing(file, httpx.Response(403, text="RBAC: access denied"))
    assert isinstance(await ask(gateway, file), IdentityRefused)
    assert len(gateway.requests) == 1


async def test_a_token_that_an_error_echoes_is_not_quoted(file: Path) -> None:
    outcome = await ask(Gateway(httpx.Response(401, text=f"Bearer {OLD} is not known")), file)
    assert outcome == IdentityRefused(401, "Bearer [LLM_JWT] is not known")


@pytest.mark.parametrize("answered", [httpx.Response(500, text=OLD), httpx.Response(401, text=OLD), answer(200, completion())])
async def test_no_token_is_in_any_log(file: Path, answered: httpx.Response, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await ask(Renewing(file, answered), file)
    assert caplog.text
    assert OLD not in caplog.text
    assert NEW not in caplog.text
