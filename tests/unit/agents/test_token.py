"""Whose token goes to the gateway, and when another one takes its place."""

import asyncio
import os
from pathlib import Path

import httpx
import pytest
from langchain_core.messages import HumanMessage

from agents.outcomes import Answered, IdentityRefused, Outcome
from agents.token import LARGEST, Token, read_token
from tests.unit.agents.doubles import Gateway, Reply, answer, completion, llm_through, streamed, token

pytestmark = pytest.mark.anyio

OLD, NEW = token(team="dba", jti="old"), token(team="dba", jti="new")
EXPIRED = httpx.Response(401, text="Jwt is expired")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(OLD)
    return file


def renew(file: Path, content: str) -> None:
    """As a file is renewed in one step: another one takes its place."""
    new = file.with_name("new")
    new.write_text(content)
    new.replace(file)


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


@pytest.mark.parametrize("content", ["", "rubbish", token(sub="dba"), token(team="web"), "x" * LARGEST * 2, "ä.ö.ü"])
def test_a_new_content_that_is_no_token_of_the_teams_keeps_the_old_one_and_is_told_once(
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
    held.renew()
    assert held.current() == OLD
    file.write_text(NEW)
    assert held.current() == NEW


def test_a_variable_is_never_renewed() -> None:
    held = Token(OLD)
    held.renew()
    assert held.current() == OLD


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
    """The file is renewed while the first request is under way."""

    def __init__(self, file: Path, *answers: Reply) -> None:
        super().__init__(*answers)
        self._file = file

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if not self.requests:
            renew(self._file, NEW)
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


async def test_a_401_for_a_file_that_was_renewed_without_a_trace_is_asked_exactly_twice(file: Path) -> None:
    """In place, within the clock of the file system: only reading it tells."""

    class WithoutATrace(Gateway):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            before = file.stat()
            file.write_text(NEW)
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
            return super().__call__(request)

    gateway = WithoutATrace(EXPIRED, answer(200, completion()))
    assert isinstance(await ask(gateway, file), Answered)
    assert bearers(gateway) == [OLD, NEW]


async def test_two_calls_that_are_refused_at_once_are_each_asked_again(file: Path) -> None:
    """Whoever reads the new file first leaves the other one a file that has not changed since."""
    asked: list[str] = []
    both = asyncio.Event()

    async def gateway(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["authorization"].removeprefix("Bearer "))
        if asked[-1] == NEW:
            return answer(200, completion())
        if len(asked) == 2:
            renew(file, NEW)
            both.set()
        await both.wait()
        return httpx.Response(401, text="Jwt is expired")

    async with llm_through(gateway, llm_jwt_file=file) as llm:
        outcomes = await asyncio.gather(*(llm([HumanMessage("hi")]) for _ in range(2)))
    assert [type(outcome) for outcome in outcomes] == [Answered, Answered]
    assert asked == [OLD, OLD, NEW, NEW]


async def test_a_token_that_another_team_renewed_is_not_sent(file: Path) -> None:
    class Another(Gateway):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            renew(file, token(team="web"))
            return super().__call__(request)

    gateway = Another(EXPIRED)
    assert isinstance(await ask(gateway, file), IdentityRefused)
    assert bearers(gateway) == [OLD]


async def test_a_403_is_not_asked_again_whatever_the_file_says(file: Path) -> None:
    gateway = Renewing(file, httpx.Response(403, text="RBAC: access denied"))
    assert isinstance(await ask(gateway, file), IdentityRefused)
    assert len(gateway.requests) == 1


ECHO = f"Bearer {OLD} is not known"


@pytest.mark.parametrize(
    "echo",
    [
        httpx.Response(403, text=ECHO),
        answer(200, {"error": {"code": 403, "message": ECHO}}),
        streamed({"error": {"code": 403, "message": ECHO}}),
    ],
)
@pytest.mark.parametrize("renewed", [False, True])
async def test_the_token_that_was_sent_is_not_quoted_where_an_error_echoes_it(file: Path, echo: Reply, renewed: bool) -> None:
    outcome = await ask(Renewing(file, echo) if renewed else Gateway(echo), file)
    assert OLD not in str(outcome)
    assert "Bearer [LLM_JWT] is not known" in str(outcome)


@pytest.mark.parametrize("answered", [httpx.Response(500, text=OLD), httpx.Response(401, text=OLD), answer(200, completion())])
async def test_no_token_is_in_any_log(file: Path, answered: httpx.Response, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await ask(Renewing(file, answered), file)
    assert caplog.text
    assert OLD not in caplog.text
    assert NEW not in caplog.text
