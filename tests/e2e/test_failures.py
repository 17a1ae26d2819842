"""Every part is killed in the middle of traffic: it comes back, says so, and no charged token is lost."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import pytest

from runner.talk import Agent
from tests.systems import Running, policy, running, team_list
from tests.waiting import until

pytestmark = pytest.mark.anyio

PLENTY = (10_000_000, 20_000_000)


@pytest.fixture(scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    folder = tmp_path_factory.mktemp("system")
    async with running(folder, teams=team_list("dba"), budgets=policy(dba=PLENTY), agents=True) as started:
        yield started


def kill(system: Running, name: str) -> int:
    """How many lines the runner had said before."""
    said = len(system.said)
    os.kill(system.supervisor.pid_of(name), signal.SIGKILL)
    return said


async def back(system: Running, name: str, since: int) -> None:
    """Waits until it has come back after so many lines: an earlier return is none."""
    await until(lambda: f"{name} is back" in system.said[since:], f"{name} to be back")
    assert any(line.startswith(f"{name} was ended by SIGKILL; restarting") for line in system.said[since:])


@dataclass
class Traffic:
    """Callers that do not stop until told to; they count what they were answered."""

    system: Running
    http: httpx.AsyncClient
    statuses: list[int] = field(default_factory=list)
    stopped: bool = False

    async def caller(self) -> None:
        while not self.stopped:
            with suppress(httpx.HTTPError):
                self.statuses.append((await self.system.chat(self.http, "dba", stream=len(self.statuses) % 2 == 0)).status_code)

    async def answered(self, count: int) -> None:
        """Waits until so many more calls have been answered with 200."""
        wanted = self.statuses.count(200) + count
        await until(lambda: self.statuses.count(200) >= wanted, f"{count} more answers")


@pytest.fixture
async def traffic(system: Running, http: httpx.AsyncClient) -> AsyncIterator[Traffic]:
    traffic = Traffic(system, http)
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(traffic.caller())
        await traffic.answered(20)
        yield traffic
        traffic.stopped = True


@pytest.mark.parametrize("name", ["budgets", "valkey"])
async def test_a_kill_in_the_middle_of_traffic_loses_no_token(system: Running, traffic: Traffic, name: str) -> None:
    await back(system, name, kill(system, name))
    await traffic.answered(20)
    traffic.stopped = True
    account = await system.account("dba")
    assert account.ledger > 0
    assert account.balanced, account


async def test_while_the_budget_service_is_down_the_gateway_refuses_and_forwards_nothing(
    system: Running, http: httpx.AsyncClient
) -> None:
    os.kill(system.supervisor.pid_of("budgets"), signal.SIGSTOP)
    try:
        forwarded, before = await system.forwarded(http), system.said.count("budgets is back")
        answer = await system.chat(http, "dba")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "budget_service_away")
        kill(system, "budgets")
        statuses = {(await system.chat(http, "dba")).status_code}
        while system.said.count("budgets is back") == before:
            if await system.forwarded(http) > forwarded:  # it is back, but that has not been said yet
                break
            statuses.add((await system.chat(http, "dba")).status_code)
        await until(lambda: system.said.count("budgets is back") > before, "budgets to be back")
        assert statuses <= {503, 200}
        assert 503 in statuses
    finally:
        with suppress(ProcessLookupError):
            os.kill(system.supervisor.pid_of("budgets"), signal.SIGCONT)
    assert (await system.account("dba")).balanced


async def test_a_killed_gateway_comes_back_with_the_counters_as_they_were(system: Running, http: httpx.AsyncClient) -> None:
    before = await system.account("dba")
    since = kill(system, "gateway")
    with pytest.raises(httpx.HTTPError):
        await system.chat(http, "dba")
    await back(system, "gateway", since)
    answer = await system.chat(http, "dba")
    after = await system.account("dba")
    assert answer.status_code == 200
    assert after.balanced
    assert after.used == before.used + answer.json()["usage"]["total_tokens"]


async def test_a_killed_issuer_comes_back_with_the_same_key(system: Running, http: httpx.AsyncClient) -> None:
    url = f"{system.system.addresses.jwt_issuer}/.well-known/jwks.json"
    before = (await http.get(url)).json()
    token = system.system.token("dba")
    await back(system, "jwt-issuer", kill(system, "jwt-issuer"))
    assert (await http.get(url)).json() == before
    assert (await system.call(http, token, {"messages": [{"role": "user", "content": "Hello."}]})).status_code == 200


async def test_what_dies_after_a_bad_edit_comes_back_as_it_was(system: Running, http: httpx.AsyncClient) -> None:
    edited = (system.policy_file, system.teams_file)
    before = {file: file.read_text() for file in edited}
    for file in edited:
        file.write_text("nonsense: [")
    try:
        for name in ("budgets", "gateway", "jwt-issuer"):
            await back(system, name, kill(system, name))
        answer = await system.chat(http, "dba")
    finally:
        for file in edited:
            file.write_text(before[file])
    assert answer.status_code == 200
    account = await system.account("dba")
    assert account.limit == PLENTY[0]
    assert account.balanced


async def test_a_killed_agent_comes_back_and_answers(system: Running) -> None:
    await back(system, "dba-agent", kill(system, "dba-agent"))
    async with Agent(system.system.addresses.agents["dba-agent"]) as agent:
        assert (await agent.ask("Write me an essay.")).completed
    assert (await system.account("dba")).balanced


def test_tokens_and_keys_are_private_files(system: Running) -> None:
    private = [path for path in system.folder.rglob("*") if path.suffix in {".jwt", ".conf"} or path.name == "ring.json"]
    assert {path.suffix for path in private} == {".jwt", ".conf", ".json"}
    assert {oct(path.stat().st_mode & 0o777) for path in private} == {"0o600"}


def test_no_token_and_no_password_was_ever_written(system: Running) -> None:
    written = "\n".join([line for _, line in system.lines] + system.said)
    password = (system.folder / "valkey" / "valkey.conf").read_text().split("requirepass ")[1].split()[0]
    for secret in (password, system.system.token("dba").rsplit(".", 1)[1], "PRIVATE KEY"):
        assert secret not in written


async def test_while_the_llm_is_down_only_what_was_answered_is_charged(system: Running, http: httpx.AsyncClient) -> None:
    """Last in this file: the ledger dies with the mock LLM, so from here on the books cannot balance."""

    async def used() -> int:
        return next(account.used for account in await system.books.accounts() if account.window == "month")

    before, spent, statuses = await used(), 0, set()
    since = kill(system, "mock-llm")
    while "mock-llm is back" not in system.said[since:]:
        answer = await system.chat(http, "dba")
        statuses.add(answer.status_code)
        spent += answer.json()["usage"]["total_tokens"] if answer.status_code == 200 else 0
    assert 503 in statuses
    assert statuses <= {503, 200}

    async def charged() -> bool:
        return await used() == before + spent

    await until(charged, "the answers that came to be charged, and nothing else")
