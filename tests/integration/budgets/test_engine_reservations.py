"""What reservations are for: how far a budget can be overshot, and what becomes of calls that end otherwise than planned.

The engine over a real Valkey, with a clock that the test sets.
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import cast

import pytest
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest, RateLimitResponse
from google.protobuf.json_format import ParseDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgets.budget import Budget, Entries, Usage
from budgets.charging import Charging
from budgets.decision import Decision, Refusal
from budgets.engine import Behaviour, Engine
from budgets.matching.policy import Call
from budgets.metrics import Metrics
from budgets.ratelimit import Context, RateLimitService
from budgets.rules import Rules
from budgets.stores.store import StoreAway
from budgets.stores.valkey import ValkeyStore
from runner.ports import Ports
from tests.integration.budgets.stores import RunningValkey
from tests.integration.budgets.test_engine import Bench
from tests.integration.budgets.test_properties import AsAsked
from tests.unit.budgets.policies import budget_document, entry, lay_out, limit, ratelimit_file, write

pytestmark = pytest.mark.anyio

TEAM = (("team", "dba"), ("user", "alice"), ("model", "gpt-4o"))
LIFE = Behaviour().reservation_life

Open = Callable[..., Bench]


def tokens(amount: int, **more: str) -> str:
    spend = entry(subject={"team": "*"}, limit={"unit": "Tokens", "amount": amount}, window={"unit": "Month"}, **more)
    return budget_document(spend)


def dollars(action: str = "Block") -> str:
    spend = entry(limit={"unit": "USD", "amount": "0.05"}, window={"unit": "Month"}, onBudgetExceeded=action)
    return budget_document(spend)


@pytest.fixture
async def opened(shared_valkey: RunningValkey, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens the books of a policy, under a domain of their own."""
    stores: list[ValkeyStore] = []

    def open_books(policy: str, behaviour: Behaviour | None = None, url: str = shared_valkey.url) -> Bench:
        store = ValkeyStore.connect(url, uuid.uuid4().hex, 2, Metrics())
        stores.append(store)
        rules = Rules.read(write(tmp_path, policy))
        return Bench(rules, store, Metrics(), patience=0, behaviour=behaviour or Behaviour())

    yield open_books
    for store in stores:
        await store.close()


async def check(books: Bench, request: str, max_tokens: int | None = None, dimensions: Entries = TEAM) -> Decision:
    return await books.engine.check(Call((dimensions,), described=True), request, max_tokens)


async def charge(books: Bench, request: str, usage: Usage, dimensions: Entries = TEAM) -> None:
    await books.engine.charge(Call((dimensions,), described=True), [usage], request)


async def end(books: Bench, request: str, status: int) -> None:
    await books.engine.ended(Call((TEAM,), described=True), status, request)


async def standing(books: Bench) -> tuple[int, int]:
    """Used and reserved, of all budgets together."""
    return sum((await books.used()).values()), sum((await books.reserved()).values())


class Ends(Enum):
    CHARGED = "charged"
    HUNG_UP = "hung up"
    FAILED = "failed"


@dataclass(frozen=True)
class Planned:
    """A call that is going to be made."""

    allowed: int
    """Its `max_tokens`, which is what it reserves where that is not more than a part of the limit."""
    used: int
    ends: Ends


@dataclass(eq=False)
class UnderWay:
    name: str
    planned: Planned
    reserved: int

    @property
    def cost(self) -> int:
        return {Ends.CHARGED: self.planned.used, Ends.HUNG_UP: self.planned.allowed, Ends.FAILED: 0}[self.planned.ends]


PLANNED = st.builds(Planned, allowed=st.integers(1, 300), used=st.integers(0, 900), ends=st.sampled_from(Ends))
STEPS = st.lists(st.lists(PLANNED, min_size=1, max_size=8) | st.integers(0, 50), max_size=16)
"""Either calls that are made at the same time, or the number of a call under way that ends."""


@dataclass
class Play:
    """A sequence of steps at two replicas, and how far it may overshoot the limit."""

    budget: Budget
    burst: int
    engines: Sequence[Engine]
    calls: int = 0
    under_way: list[UnderWay] = field(default_factory=list)
    bound: int = 0

    async def step(self, step: Sequence[Planned] | int) -> None:
        if not isinstance(step, int):
            await self._start(step)
        elif self.under_way:
            await self.end(self.under_way.pop(step % len(self.under_way)))

    async def end(self, call: UnderWay) -> None:
        engine, made = self.engines[len(self.under_way) % 2], Call((TEAM,), described=True)
        if call.planned.ends is Ends.CHARGED:
            await engine.charge(made, [Usage(output=call.planned.used)], call.name)
        else:
            await engine.ended(made, 503 if call.planned.ends is Ends.FAILED else 200, call.name)

    async def _start(self, together: Sequence[Planned]) -> None:
        part = max(1, self.budget.limit // self.burst)
        started = [UnderWay(f"{self.calls + number}", each, min(each.allowed, part)) for number, each in enumerate(together)]
        self.calls += len(started)
        decisions = await asyncio.gather(*(self._check(number, call) for number, call in enumerate(started)))
        admitted = {
            decision.balances[0].used + decision.balances[0].reserved: call
            for decision, call in zip(decisions, started, strict=True)
            if decision.admitted
        }
        assert all(before < self.budget.limit for before in admitted)
        self.under_way += admitted.values()
        if admitted:
            last = admitted[max(admitted)]
            beyond = sum(call.cost - call.reserved for call in self.under_way if call is not last)
            self.bound = self.budget.limit + last.cost + beyond

    async def _check(self, number: int, call: UnderWay) -> Decision:
        return await self.engines[number % 2].check(Call((TEAM,), described=True), call.name, call.planned.allowed)


@pytest.mark.timeout(120)
async def test_no_interleaving_overshoots_by_more_than_the_last_call_and_what_those_under_way_cost_beyond_their_reservation(
    shared_valkey: RunningValkey, tmp_path: Path
) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(total=st.integers(1, 2_000), burst=st.integers(1, 12), steps=STEPS)
    def overshoots(total: int, burst: int, steps: list[list[Planned] | int]) -> None:
        rules = Rules.read(write(tmp_path, tokens(total)))

        async def play_it() -> None:
            stores = [ValkeyStore.connect(shared_valkey.url, domain, 2, Metrics()) for domain in (uuid.uuid4().hex,) * 2]
            engines = [
                Engine(
                    lambda: rules,
                    store,
                    Charging(store),
                    Metrics(),
                    behaviour=Behaviour(burst=burst),
                    estimates=AsAsked(first=1),
                    clock=lambda: 1_000_000_000.0,
                )
                for store in stores
            ]
            (applying,) = rules.policy.applying(Call((TEAM,), described=True))
            play = Play(applying.budget, burst, engines)
            for step in steps:
                await play.step(step)
            while play.under_way:
                await play.end(play.under_way.pop())
            (tally,) = await stores[0].read([applying.budget], 1_000_000_000.0)
            for store in stores:
                await store.close()
            await asyncio.sleep(0)  # for the transports, which close a moment later
            assert tally.reserved == 0
            assert tally.used < play.bound or tally.used == play.bound == 0

        asyncio.run(play_it())

    await asyncio.to_thread(overshoots)


async def test_calls_that_are_all_made_at_once_overshoot_by_less_than_one_where_estimates_are_true(opened: Open) -> None:
    books = opened(tokens(1_000))
    decisions = await asyncio.gather(*(check(books, f"{number}", max_tokens=45) for number in range(60)))
    admitted = [f"{number}" for number, decision in enumerate(decisions) if decision.admitted]
    used_by_one = 25 + 45  # of a first guess of 100 tokens, a fourth is input
    await asyncio.gather(*(charge(books, name, Usage(input=25, output=45)) for name in admitted))
    used, reserved = await standing(books)
    assert (used, reserved) == (len(admitted) * used_by_one, 0)
    assert 1_000 <= used < 1_000 + used_by_one


@pytest.mark.parametrize(("total", "burst"), [(1_000, 10), (1_000, 3), (1_000, 1), (1_009, 10), (7, 10)])
async def test_an_idle_budget_admits_a_burst_whatever_the_calls_may_cost(opened: Open, total: int, burst: int) -> None:
    books = opened(tokens(total), Behaviour(burst=burst))
    decisions = [await check(books, f"{number}", max_tokens=1_000_000) for number in range(burst + 2)]
    admitted = sum(decision.admitted for decision in decisions)
    assert min(burst, total) <= admitted <= burst + 1
    assert decisions[-1].refusal is Refusal.RESERVED


async def test_a_budget_that_only_calls_under_way_exhaust_has_room_again_when_they_end(opened: Open) -> None:
    books = opened(tokens(1_000), Behaviour(burst=1))
    assert (await check(books, "one", max_tokens=5_000)).admitted
    assert (await check(books, "two")).refusal is Refusal.RESERVED
    await charge(books, "one", Usage(output=10))
    assert (await check(books, "three")).admitted


@pytest.mark.parametrize("status", [0, 200, 204, 399, 504])
async def test_a_hang_up_is_charged_its_estimate(opened: Open, status: int) -> None:
    books = opened(tokens(10_000))
    await check(books, "one", max_tokens=300)
    assert await standing(books) == (0, 325)
    await end(books, "one", status)
    await end(books, "one", status)
    assert await standing(books) == (325, 0)


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
async def test_a_failure_of_the_upstream_is_released(opened: Open, status: int) -> None:
    books = opened(tokens(10_000))
    await check(books, "one", max_tokens=300)
    await end(books, "one", status)
    assert await standing(books) == (0, 0)


@pytest.mark.parametrize("ended_by", ["the gateway", "the sweep"])
async def test_a_charge_that_comes_late_replaces_the_estimate(opened: Open, ended_by: str) -> None:
    books = opened(tokens(10_000))
    await check(books, "one", max_tokens=300)
    if ended_by == "the gateway":
        await end(books, "one", 200)
    else:
        books.now[0] += LIFE
        await books.engine.expire()
    assert await standing(books) == (325, 0)
    for _ in range(2):
        await charge(books, "one", Usage(input=20, output=22))
    assert await standing(books) == (42, 0)


async def test_a_call_that_nobody_ended_is_charged_its_estimate_at_the_time_out_and_not_before(opened: Open) -> None:
    books = opened(tokens(10_000))
    await check(books, "one", max_tokens=300)
    books.now[0] += LIFE - 1
    await books.engine.expire()
    assert await standing(books) == (0, 325)
    books.now[0] += 1
    await books.engine.expire()
    assert await standing(books) == (325, 0)


async def test_a_refused_call_holds_nothing_and_whatever_is_said_of_its_end_changes_nothing(opened: Open) -> None:
    books = opened(tokens(100))
    await charge(books, "before", Usage(output=100))
    assert not (await check(books, "one")).admitted
    for status in (200, 429):
        await end(books, "one", status)
    books.now[0] += LIFE
    await books.engine.expire()
    assert await standing(books) == (100, 0)


@dataclass
class Nameless:
    """A gateway that sends descriptors of its own and no request ids, as agentgateway's open-source edition does."""

    books: Bench
    entries: Entries = (("team", "dba"),)

    async def tell(self, hits: int) -> bool:
        """Whether it was admitted; 0 hits check, and what a call used is told the same way."""
        descriptor = {"entries": [{"key": key, "value": value} for key, value in self.entries], "hitsAddend": str(hits)}
        request = ParseDict({"domain": "test", "descriptors": [descriptor]}, RateLimitRequest())
        service = RateLimitService(self.books.engine, "test")
        answer = await service.should_rate_limit(request, cast(Context, None))
        return bool(answer.overall_code == RateLimitResponse.OK)


@pytest.fixture
def nameless(opened: Open) -> Nameless:
    return Nameless(opened(tokens(1_000)))


async def test_without_ids_the_limit_holds_and_each_charge_ends_one_reservation(nameless: Nameless) -> None:
    told = await asyncio.gather(*(nameless.tell(0) for _ in range(30)))
    assert sum(told) == 10
    assert await standing(nameless.books) == (0, 1_000)
    await asyncio.gather(*(nameless.tell(101) for _ in range(10)))
    assert await standing(nameless.books) == (1_010, 0)
    assert not await nameless.tell(0)


async def test_without_ids_calls_of_others_keep_their_reservations(nameless: Nameless) -> None:
    await Nameless(nameless.books, (("team", "ops"),)).tell(0)
    await nameless.tell(0)
    await nameless.tell(60)
    assert await nameless.books.reserved() == {"default/limits/spend/ops": 100}


async def test_without_ids_a_hang_up_is_free_for_its_reservation_is_released_at_the_time_out(nameless: Nameless) -> None:
    await nameless.tell(0)
    nameless.books.now[0] += LIFE
    await nameless.books.engine.expire()
    assert await standing(nameless.books) == (0, 0)


async def test_without_ids_a_charge_that_is_repeated_counts_twice(nameless: Nameless) -> None:
    await nameless.tell(0)
    for _ in range(2):
        await nameless.tell(60)
    assert await standing(nameless.books) == (120, 0)


async def test_without_ids_a_charge_of_nothing_is_taken_for_a_check_whose_reservation_the_time_out_releases(
    nameless: Nameless,
) -> None:
    for _ in range(2):
        await nameless.tell(0)
    assert await standing(nameless.books) == (0, 200)
    nameless.books.now[0] += LIFE
    await nameless.books.engine.expire()
    assert await standing(nameless.books) == (0, 0)


async def test_failing_open_admits_and_logs_each_call(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    with Ports() as ports:
        nowhere = f"redis://127.0.0.1:{ports.take()}"
        books = opened(tokens(1_000), Behaviour(fails_open=True), nowhere)
        decisions = [await check(books, f"call-{number}") for number in range(3)]
        with pytest.raises(StoreAway):
            await check(opened(tokens(1_000), url=nowhere), "another")
    assert all(decision.admitted and not decision.balances for decision in decisions)
    said = [record.getMessage() for record in caplog.records if "BUDGETS_FAIL_OPEN" in record.getMessage()]
    assert [f"call-{number}" in line and 'user="alice"' in line for number, line in enumerate(said)] == [True] * 3


async def test_a_model_without_a_price_is_refused_where_dollars_block(opened: Open) -> None:
    books = opened(dollars())
    unknown = (("team", "dba"), ("model", "no-such-model"))
    for dimensions in (unknown, unknown[:1]):
        assert (await check(books, "one", dimensions=dimensions)).refusal is Refusal.UNPRICED
    assert await standing(books) == (0, 0)
    assert (await check(books, "two")).admitted


async def test_a_model_without_a_price_is_audited_where_dollars_audit(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    books = opened(dollars("Audit"))
    unknown = (("team", "dba"), ("model", "no-such-model"))
    assert (await check(books, "one", dimensions=unknown)).admitted
    await charge(books, "one", Usage(output=9), dimensions=unknown)
    assert await standing(books) == (0, 0)
    said = [record.getMessage().partition(":")[0] for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == ["model without a price; auditing", "model without a price; charged nothing"]


async def test_dollars_are_counted_exactly(opened: Open, tmp_path: Path) -> None:
    """1,753 tokens of input at 2.50 and 250 of output at 10.00 a million are 0.0068825 dollars; as floats they are not."""
    prices = '{"providers": {"ours": {"models": {"gpt-4o": {"rates": {"input": "2.50", "output": "10.00"}}}}}}'
    books = opened(dollars())
    books.rules = Rules.read(lay_out(tmp_path / "priced", {"budgets.yaml": dollars(), "catalog.json": prices}))
    for number in range(7):
        assert (await check(books, f"{number}")).admitted
        await charge(books, f"{number}", Usage(input=1_753, output=250))
    assert await standing(books) == (7 * 6_882_500_000, 0)
    assert (await check(books, "crosses")).admitted
    await charge(books, "crosses", Usage(input=1_753, output=250))
    assert (await check(books, "refused")).refusal is Refusal.SPENT


async def test_what_the_gateway_itself_has_priced_cannot_be_more_than_a_call_costs(opened: Open) -> None:
    """Two such charges would be more than the store can count, and the second would be lost."""
    books = opened(dollars("Audit"))
    for name in ("one", "two"):
        await charge(books, name, Usage(picodollars=2**62))
    assert (await standing(books))[0] == 2 * 10**16


@pytest.fixture
def unlimited(opened: Open) -> Bench:
    free = {"key": "team", "value": "free", "rate_limit": {"unlimited": True}}
    return opened(ratelimit_file(free, {"key": "team", "rate_limit": limit(100, "month")}))


async def test_whoever_is_unlimited_is_admitted_without_a_budget(unlimited: Bench) -> None:
    decision = await check(unlimited, "one", dimensions=(("team", "free"),))
    assert (decision.admitted, decision.balances) == (True, ())
    assert (await unlimited.check((("team", "free"),))).admitted
    assert (await check(unlimited, "two", dimensions=(("user", "alice"),))).refusal is Refusal.UNCOVERED


async def test_a_call_that_no_budget_limits_leaves_nothing_behind_to_lapse(
    unlimited: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await check(unlimited, "one", dimensions=(("team", "free"),))
    await charge(unlimited, "one", Usage(output=9), dimensions=(("team", "free"),))
    unlimited.now[0] += LIFE
    caplog.clear()
    with caplog.at_level(logging.INFO):
        await unlimited.engine.expire()
    assert not caplog.records
