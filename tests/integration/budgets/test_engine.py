"""The engine over a real Valkey, with a clock that the test sets."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis.asyncio import Redis

from budgets.budget import Entries, Usage
from budgets.charging import Charging
from budgets.decision import Decision
from budgets.engine import Behaviour, Engine
from budgets.estimates import Estimates
from budgets.matching.policy import Call
from budgets.metrics import Metrics
from budgets.overview import Overview
from budgets.rules import Rules
from budgets.stores.store import StoreAway
from budgets.stores.valkey import LINGER, ValkeyStore
from tests.integration.budgets.stores import RunningValkey
from tests.unit.budgets.policies import DAY_DBA, HOUR_DBA, TWO_WINDOWS, write
from tests.waiting import until

pytestmark = pytest.mark.anyio

DBA = (HOUR_DBA, DAY_DBA)
SALES_DAY = (("window", "day"), ("team", "sales"))


@dataclass
class Bench:
    rules: Rules
    store: ValkeyStore
    metrics: Metrics
    patience: float = 10
    behaviour: Behaviour = field(default_factory=Behaviour)
    now: list[float] = field(default_factory=lambda: [1_000_000_000.0])

    def __post_init__(self) -> None:
        self.engine = self.another_engine()
        self.overview = Overview(lambda: self.rules, self.store, self.engine.raises, self.clock)

    def clock(self) -> float:
        return self.now[0]

    def another_engine(self, behaviour: Behaviour | None = None) -> Engine:
        """A replica, or the same service after a restart."""
        return Engine(
            lambda: self.rules,
            self.store,
            Charging(self.store, self.patience),
            self.metrics,
            behaviour=behaviour or self.behaviour,
            estimates=Estimates(first=100),
            clock=self.clock,
        )

    async def charge(self, *costs: tuple[Entries, int], request_id: str | None = None) -> None:
        amounts: dict[Entries, int] = {}
        for entries, tokens in costs:
            amounts[entries] = amounts.get(entries, 0) + tokens
        usages = [Usage(unsplit=tokens) for tokens in amounts.values()]
        await self.engine.charge(Call(tuple(amounts)), usages, request_id)

    async def check(self, *descriptors: Entries, request_id: str | None = None, max_tokens: int | None = None) -> Decision:
        return await self.engine.check(Call(descriptors), request_id, max_tokens)

    async def used(self) -> dict[str, int]:
        return {balance.budget.id: balance.used for balance in await self.overview.all() if balance.used}

    async def reserved(self) -> dict[str, int]:
        return {balance.budget.id: balance.reserved for balance in await self.overview.all() if balance.reserved}

    async def reset(self, team: str) -> dict[str, int]:
        balances = await self.overview.reset(lambda budget: budget.subject.get("team") == team)
        return {balance.budget.id: balance.used for balance in balances}


@pytest.fixture
async def bench(valkey: RunningValkey, tmp_path: Path) -> AsyncIterator[Bench]:
    metrics = Metrics()
    store = ValkeyStore.connect(valkey.url, "test-domain", 0.25, metrics)
    opened = Bench(Rules.read(write(tmp_path, TWO_WINDOWS)), store, metrics)
    yield opened
    await opened.engine.drain()
    await store.close()


async def test_a_charge_counts_in_both_windows(bench: Bench) -> None:
    await bench.charge((HOUR_DBA, 7), (HOUR_DBA, 100), (DAY_DBA, 7), (DAY_DBA, 100))
    assert await bench.used() == {"team-token-budget/dba/hour": 107, "team-token-budget/dba/day": 107}


async def test_the_call_that_crosses_the_limit_completes_and_the_next_is_refused(bench: Bench) -> None:
    await bench.charge((HOUR_DBA, 4_999), (DAY_DBA, 4_999))
    assert (await bench.check(*DBA)).admitted
    await bench.charge((HOUR_DBA, 1), (DAY_DBA, 1))
    refusal = (await bench.check(*DBA)).refused_by
    assert refusal
    assert (refusal.budget.id, refusal.used) == ("team-token-budget/dba/hour", 5_000)


async def test_a_refusal_costs_nothing(bench: Bench) -> None:
    await bench.charge((HOUR_DBA, 5_000))
    for _ in range(3):
        assert not (await bench.check(*DBA)).admitted
    assert await bench.used() == {"team-token-budget/dba/hour": 5_000}


async def test_the_day_refuses_when_the_hour_has_room(bench: Bench) -> None:
    await bench.charge((DAY_DBA, 50_000))
    refusal = (await bench.check(*DBA)).refused_by
    assert refusal
    assert refusal.budget.id == "team-token-budget/dba/day"


async def test_the_next_hour_starts_empty_and_the_day_goes_on(bench: Bench) -> None:
    await bench.charge((HOUR_DBA, 5_000), (DAY_DBA, 5_000))
    bench.now[0] += 3_600
    assert (await bench.check(*DBA)).admitted
    assert await bench.used() == {"team-token-budget/dba/day": 5_000}


async def test_a_repeated_charge_counts_once(bench: Bench) -> None:
    for _ in range(3):
        await bench.charge((HOUR_DBA, 10), (DAY_DBA, 10), request_id="one")
    await bench.charge((HOUR_DBA, 10), (DAY_DBA, 10), request_id="two")
    assert await bench.used() == {"team-token-budget/dba/hour": 20, "team-token-budget/dba/day": 20}


async def test_charges_without_an_id_all_count(bench: Bench) -> None:
    for _ in range(3):
        await bench.charge((HOUR_DBA, 10))
    assert await bench.used() == {"team-token-budget/dba/hour": 30}


async def test_hundreds_of_charges_at_once_lose_nothing(bench: Bench) -> None:
    await asyncio.gather(*(bench.charge((HOUR_DBA, n), (DAY_DBA, n)) for n in range(400)))
    assert await bench.used() == {"team-token-budget/dba/hour": 79_800, "team-token-budget/dba/day": 79_800}


async def test_a_key_without_a_value_gives_each_value_its_own_budget(bench: Bench) -> None:
    await bench.charge((SALES_DAY, 100))
    assert not (await bench.check(SALES_DAY)).admitted
    assert (await bench.check((("window", "day"), ("team", "ops")))).admitted
    assert await bench.used() == {"team-token-budget/sales/day": 100}


async def test_a_reset_empties_the_budgets_of_one_team_only(bench: Bench) -> None:
    await bench.charge((HOUR_DBA, 5_000), (DAY_DBA, 5_000), (SALES_DAY, 100))
    assert await bench.reset("dba") == {
        "team-token-budget/dba/hour": 5_000,
        "team-token-budget/dba/day": 5_000,
    }
    assert await bench.used() == {"team-token-budget/sales/day": 100}
    assert await bench.reset("nobody") == {}


async def test_counters_of_two_domains_do_not_meet(bench: Bench, valkey: RunningValkey) -> None:
    other = ValkeyStore.connect(valkey.url, "test-domain:counter", 0.25, bench.metrics)
    await Bench(bench.rules, other, bench.metrics, now=bench.now).charge((HOUR_DBA, 3))
    await other.close()
    assert await bench.used() == {}


async def test_counters_survive_a_kill_of_valkey(bench: Bench, valkey: RunningValkey) -> None:
    await asyncio.gather(*(bench.charge((HOUR_DBA, 11)) for _ in range(50)))
    valkey.kill()
    # It is made while Valkey is away, and waits for it.
    await bench.charge((HOUR_DBA, 50), request_id="late")
    assert await bench.used() == {"team-token-budget/dba/hour": 600}


async def test_a_counter_is_gone_soon_after_its_window(bench: Bench, valkey: RunningValkey) -> None:
    bench.now[0] = 1_000_000_000.0 // 3_600 * 3_600 + 600
    await bench.charge((HOUR_DBA, 11))
    async with Redis.from_url(valkey.url) as redis:
        (counter,) = [key async for key in redis.scan_iter("budgets:*:counter:*")]
        assert 3_000 < await redis.ttl(counter) <= 3_000 + LINGER


@pytest.mark.parametrize(
    ("setting", "value", "good"),
    [("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")],
    ids=["full", "short of replicas"],
)
async def test_a_store_that_can_be_read_but_not_charged_admits_nobody(
    bench: Bench, valkey: RunningValkey, setting: str, value: str, good: str
) -> None:
    async with Redis.from_url(valkey.url) as redis:
        await redis.config_set(setting, value)
        with pytest.raises(StoreAway):
            await bench.check(*DBA)
        with pytest.raises(StoreAway):
            await bench.store.ping()
        charging = asyncio.create_task(bench.charge((HOUR_DBA, 9)))
        await redis.config_set(setting, good)
    await charging
    assert await bench.used() == {"team-token-budget/dba/hour": 9}
    assert (await bench.check(*DBA)).admitted


async def test_a_store_that_may_lose_charges_is_known_by_its_settings(bench: Bench, valkey: RunningValkey) -> None:
    assert await bench.store.risks() == []
    async with Redis.from_url(valkey.url) as redis:
        await redis.config_set("appendfsync", "everysec", "maxmemory-policy", "allkeys-lru")
        assert await bench.store.risks() == ["appendfsync everysec", "maxmemory-policy allkeys-lru"]
    valkey.send(signal.SIGSTOP)
    assert await bench.store.risks() == []
    valkey.send(signal.SIGCONT)


async def test_a_replica_admits_nobody(bench: Bench, valkey: RunningValkey) -> None:
    async with Redis.from_url(valkey.url) as redis:
        await redis.replicaof("127.0.0.1", "1")
        with pytest.raises(StoreAway):
            await bench.check(*DBA)
        await redis.replicaof("NO", "ONE")
    assert (await bench.check(*DBA)).admitted


async def test_repeats_of_a_charge_join_the_one_under_way_and_the_loss_is_said_once(
    valkey: RunningValkey, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = ValkeyStore.connect(valkey.url, "test-domain", 0.05, Metrics())
    bench = Bench(Rules.read(write(tmp_path, TWO_WINDOWS)), store, Metrics(), patience=0.5)
    valkey.send(signal.SIGSTOP)
    try:
        charges = (bench.charge((HOUR_DBA, 9), request_id="one") for _ in range(20))
        outcomes = await asyncio.gather(*charges, return_exceptions=True)
    finally:
        valkey.send(signal.SIGCONT)
        await store.close()
    assert {type(outcome) for outcome in outcomes} == {StoreAway}
    told = [record.getMessage() for record in caplog.records]
    assert [line.partition(":")[0] for line in told] == [
        "the store that BUDGETS_STORE names cannot be used",
        "charge lost",
    ]
    assert "request=one amounts={'team-token-budget/dba/hour': 9}" in told[1]


async def test_a_stalled_store_refuses_in_bounded_time_and_the_charge_waits_for_it(bench: Bench, valkey: RunningValkey) -> None:
    valkey.send(signal.SIGSTOP)
    try:
        async with asyncio.timeout(5):
            with pytest.raises(StoreAway):
                await bench.check(*DBA)
        charging = asyncio.create_task(bench.charge((HOUR_DBA, 9), request_id="patient"))
        async with asyncio.timeout(5):
            with pytest.raises(StoreAway):
                await bench.store.ping()
        assert not charging.done()
    finally:
        valkey.send(signal.SIGCONT)
    await charging
    assert await bench.used() == {"team-token-budget/dba/hour": 9}


async def test_a_check_that_a_stalled_store_carries_out_late_holds_nothing_in_the_end(
    bench: Bench, valkey: RunningValkey
) -> None:
    await bench.check(*DBA, request_id="before")
    valkey.send(signal.SIGSTOP)
    try:
        with pytest.raises(StoreAway):
            await bench.check(*DBA, request_id="late")
    finally:
        valkey.send(signal.SIGCONT)
    async with Redis.from_url(valkey.url) as redis:

        async def is_over() -> bool:
            return await redis.get("budgets:{test-domain}:call:late") == b""

        await until(is_over, "the late check to have been carried out and given back")
    assert set((await bench.reserved()).values()) == {100}


async def test_a_charge_whose_caller_gives_up_is_made_all_the_same(bench: Bench, valkey: RunningValkey) -> None:
    valkey.send(signal.SIGSTOP)
    charging = asyncio.create_task(bench.charge((HOUR_DBA, 9)))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(charging, 0.1)
    valkey.send(signal.SIGCONT)
    await bench.engine.drain()

    async def counted() -> bool:
        return await bench.used() == {"team-token-budget/dba/hour": 9}

    await until(counted, "the charge to be counted")
