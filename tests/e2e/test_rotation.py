"""A rotation of the signing key, from the first look at it to the old key's end, while agents and users call."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
import jwt
import pytest

from jwt_issuer.oauth.client_secrets import hash_secret
from runner.talk import Agent
from tests.systems import Running, policy, running, team_list
from tests.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

PLENTY = (1_000_000_000, 2_000_000_000)
ISSUER = {
    "JWT_ISSUER_TTL": "8",
    "JWT_ISSUER_MAX_AGE": "1",
    "JWT_ISSUER_OVERLAP": "8",
    "JWT_ISSUER_CLIENT_TTL": "8",
    "GATEWAY_JWKS_CACHE": "4",
}
"""A rotation in half a minute. The overlap is longer than what the issuer, the cache and the gateway take to hear of a key."""

SECRET = "a secret of no importance"


@pytest.fixture
async def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    for name, value in ISSUER.items():
        monkeypatch.setenv(name, value)
    clients = tmp_path / "clients.yaml"
    clients.write_text(f"clients: [{{client_id: ci, secret_hash: '{hash_secret(SECRET)}', sub: dba-user}}]", encoding="utf-8")
    monkeypatch.setenv("JWT_ISSUER_CLIENTS", str(clients))
    async with running(tmp_path, teams=team_list("dba"), budgets=policy(dba=PLENTY), agents=True) as started:
        yield started


class Traffic:
    """Users who call the gateway, a program that asks for its tokens, and one who talks to the agent, until told to stop."""

    def __init__(self, system: Running) -> None:
        self.statuses: list[int] = []
        self.replies: list[bool] = []
        self.kids: set[str] = set()
        self._system = system

    @contextmanager
    def flowing(self, http: httpx.AsyncClient) -> Iterator[None]:
        flows = [*(self._call(http, self._kept) for _ in range(3)), self._call(http, self._issued), self._talk()]
        tasks = [asyncio.create_task(flow) for flow in flows]
        try:
            yield
            failed = next((task for task in tasks if task.done()), None)
            assert failed is None, failed and failed.exception()
        finally:
            for task in tasks:
                task.cancel()

    async def _kept(self, _: httpx.AsyncClient) -> str:
        return self._system.system.token("dba-user")

    async def _issued(self, http: httpx.AsyncClient) -> str:
        grant = {"grant_type": "client_credentials"}
        answer = await http.post(f"{self._system.system.addresses.jwt_issuer}/token", data=grant, auth=("ci", SECRET))
        token: str = answer.json()["access_token"]
        return token

    async def _call(self, http: httpx.AsyncClient, token_of: Callable[[httpx.AsyncClient], Awaitable[str]]) -> None:
        while True:
            token = await token_of(http)
            answer = await self._system.call(http, token, {"messages": [{"role": "user", "content": "Hello."}]})
            self.statuses.append(answer.status_code)
            if answer.status_code == 200:
                self.kids.add(kid_of(token))

    async def _talk(self) -> None:
        async with Agent(self._system.system.addresses.agents["dba-agent"]) as agent:
            while True:
                reply = await agent.ask("Hello.")
                self.replies.append(reply.completed)


def kid_of(token: str) -> str:
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


async def served_kids(http: httpx.AsyncClient, system: Running) -> list[str]:
    answer = await http.get(f"{system.system.addresses.jwt_issuer}/.well-known/jwks.json")
    return [key["kid"] for key in answer.json()["keys"]]


async def rotate(system: Running) -> None:
    program = system.system.programs.jwt_issuer()
    words = [sys.executable, "-m", "jwt_issuer", "rotate"]
    await anyio.run_process(words, env=dict(program.environment))


async def test_nobody_is_refused_while_the_key_is_rotated(system: Running, http: httpx.AsyncClient) -> None:
    (old,) = await served_kids(http, system)
    traffic = Traffic(system)

    async def new_key_is_alone() -> bool:
        kids = await served_kids(http, system)
        return len(kids) == 1 and kids != [old]

    with traffic.flowing(http):
        await until(lambda: len(traffic.statuses) > 20 and len(traffic.replies) > 2, "traffic before the rotation")
        last_old_token = system.system.token("dba-user")
        await rotate(system)
        await until(new_key_is_alone, "the old key to be gone", within=60)
        calls, replies = len(traffic.statuses), len(traffic.replies)
        await until(lambda: len(traffic.statuses) > calls + 20 and len(traffic.replies) > replies + 2, "traffic behind it")

    assert set(traffic.statuses) == {200}
    assert all(traffic.replies)
    assert len(traffic.kids) == 2
    refused = await system.call(http, last_old_token, {"messages": [{"role": "user", "content": "Hello."}]})
    assert refused.status_code == 401
