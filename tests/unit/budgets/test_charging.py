import asyncio
import logging
from collections.abc import Mapping

import pytest

from budgets.budget import Budget
from budgets.charging import Charging
from budgets.stores.memory import MemoryStore
from budgets.stores.store import CallId, Hold, StoreAway
from tests.unit.budgets.some_budgets import DAY, budget
from tests.waiting import until

pytestmark = pytest.mark.anyio

NOW = 1_000_000_000.0
BUDGET = budget(window=DAY)
CALL = CallId("r-1")


class Faulty(MemoryStore):
    """Away for some tries, and slow until it is let go."""

    def __init__(self, away: int = 0) -> None:
        super().__init__()
        self.away = away
        self.tries = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def charge(self, call: CallId, amounts: Mapping[Budget, int], now: float) -> bool:
        self.tries += 1
        await self.answers.wait()
        if self.tries <= self.away:
            raise StoreAway("it stalls")
        return await super().charge(call, amounts, now)


async def used(store: MemoryStore) -> int:
    return (await store.read([BUDGET], NOW))[0].used


async def test_a_charge_counts_and_says_so() -> None:
    store = Faulty()
    assert await Charging(store).charge(CALL, {BUDGET: 7}, NOW)
    assert await used(store) == 7


async def test_a_charge_that_is_repeated_counts_once_and_says_so() -> None:
    store = Faulty()
    charging = Charging(store)
    assert [await charging.charge(CALL, {BUDGET: 7}, NOW) for _ in range(3)] == [True, False, False]
    assert await used(store) == 7


async def test_a_charge_is_tried_until_the_store_answers() -> None:
    store = Faulty(away=2)
    assert await Charging(store, patience=60).charge(CALL, {BUDGET: 7}, NOW)
    assert (await used(store), store.tries) == (7, 3)


async def test_a_repeated_charge_joins_the_one_under_way() -> None:
    store = Faulty()
    store.answers.clear()
    charging = Charging(store)
    first = asyncio.create_task(charging.charge(CALL, {BUDGET: 7}, NOW))
    await until(lambda: store.tries == 1, "the first try")
    second = asyncio.create_task(charging.charge(CALL, {BUDGET: 7}, NOW))
    other = asyncio.create_task(charging.charge(CallId("r-2"), {BUDGET: 5}, NOW))
    await until(lambda: store.tries == 2, "the charge of the other call")
    store.answers.set()
    assert list(await asyncio.gather(first, second, other)) == [True, False, True]
    assert (await used(store), store.tries) == (12, 2)


async def test_a_charge_goes_on_when_whoever_sent_it_gives_up() -> None:
    store = Faulty()
    store.answers.clear()
    charging = Charging(store)
    sent = asyncio.create_task(charging.charge(CALL, {BUDGET: 7}, NOW))
    await until(lambda: store.tries == 1, "the try")
    sent.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sent
    joined = asyncio.create_task(charging.charge(CALL, {BUDGET: 7}, NOW))
    joined.cancel()
    store.answers.set()
    await charging.drain()
    assert (await used(store), store.tries) == (7, 1)


async def test_a_charge_that_is_over_is_not_joined() -> None:
    store = Faulty()
    charging = Charging(store)
    await charging.charge(CALL, {BUDGET: 7}, NOW)
    await charging.drain()
    await charging.charge(CALL, {BUDGET: 7}, NOW)
    assert store.tries == 2


async def test_when_the_patience_has_ended_the_log_says_what_was_lost(caplog: pytest.LogCaptureFixture) -> None:
    store = Faulty(away=1_000)
    with pytest.raises(StoreAway):
        await Charging(store, patience=0).charge(CallId("r-1\nspoof"), {BUDGET: 7}, NOW)
    assert caplog.record_tuples == [
        (
            "budgets",
            logging.ERROR,
            "charge lost: request=\"r-1\\nspoof\" amounts={'b/dba': 7}: the store cannot be used (it stalls)",
        )
    ]


async def test_whoever_joined_a_charge_that_is_lost_is_told_too() -> None:
    store = Faulty(away=1_000)
    store.answers.clear()
    charging = Charging(store, patience=0)
    sent = [asyncio.create_task(charging.charge(CALL, {BUDGET: 7}, NOW)) for _ in range(2)]
    await until(lambda: store.tries == 1, "the try")
    store.answers.set()
    lost = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(each) for each in lost] == [StoreAway, StoreAway]
    await charging.drain()


async def test_a_charge_of_no_budget_still_ends_the_reservation_of_its_call() -> None:
    store = MemoryStore()
    await store.reserve(CALL, [Hold(BUDGET, 50)], NOW, NOW + 10, "{}")
    assert await Charging(store).charge(CALL, {}, NOW)
    (tally,) = await store.read([BUDGET], NOW)
    assert (tally.used, tally.reserved) == (0, 0)
    assert await store.expire(NOW + 11) == []


async def test_with_nothing_under_way_there_is_nothing_to_wait_for() -> None:
    await Charging(MemoryStore()).drain()
