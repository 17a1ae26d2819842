"""What every store does: the one in Valkey, and the one in memory that `budgets simulate` counts in."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from budgets.budget import Action
from budgets.metrics import Metrics
from budgets.stores.memory import MemoryStore
from budgets.stores.store import FADES, CallId, Hold, Lapsed, Store
from budgets.stores.valkey import ValkeyStore
from budgets.windows import RollingWindow, Unit
from tests.integration.budgets.stores import RunningValkey
from tests.unit.budgets.some_budgets import DAY, budget

pytestmark = pytest.mark.anyio

NOW = 1_000_000_000.0
LATER = NOW + 60
HUGE = 8_999_999 * 10**12
"""Picodollars; not a number that a float can tell from the next one."""


@pytest.fixture(params=["valkey", "memory"])
async def store(request: pytest.FixtureRequest, shared_valkey: RunningValkey) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    valkey = ValkeyStore.connect(shared_valkey.url, uuid.uuid4().hex, 2, Metrics())
    yield valkey
    await valkey.close()


async def admits(store: Store, call: str, *holds: Hold, now: float = NOW, lane: str | None = None) -> bool:
    return (await store.reserve(CallId(call, lane), holds, now, now + 300, f"note of {call}")).admitted


async def held(store: Store, *budgets: object, now: float = NOW) -> list[tuple[int, int]]:
    return [(tally.used, tally.reserved) for tally in await store.read(list(budgets), now)]  # type: ignore[arg-type]


async def test_a_reservation_counts_against_the_limit(store: Store) -> None:
    small = budget(limit=100)
    assert await admits(store, "a", Hold(small, 60))
    assert await admits(store, "b", Hold(small, 60))
    assert not await admits(store, "c", Hold(small, 60))
    assert await held(store, small) == [(0, 120)]


async def test_a_charge_takes_the_place_of_its_reservation(store: Store) -> None:
    small = budget(limit=100)
    await admits(store, "a", Hold(small, 60))
    assert await store.charge(CallId("a"), {small: 45}, LATER)
    assert await held(store, small) == [(45, 0)]


async def test_a_charge_counts_once_for_an_id(store: Store) -> None:
    small = budget()
    assert [await store.charge(CallId("a"), {small: 45}, NOW) for _ in range(3)] == [True, False, False]
    assert await held(store, small) == [(45, 0)]


async def test_all_budgets_admit_or_none_holds_anything(store: Store) -> None:
    spent, other = budget("spent", limit=0), budget("other")
    assert not await admits(store, "a", Hold(other, 10), Hold(spent, 10))
    assert await held(store, spent, other) == [(0, 0), (0, 0)]


async def test_an_audited_budget_never_blocks_and_counts_all_the_same(store: Store) -> None:
    audited = budget(limit=0, action=Action.AUDIT)
    assert await admits(store, "a", Hold(audited, 10))
    assert await held(store, audited) == [(0, 10)]


async def test_a_check_that_is_repeated_holds_once_and_is_admitted_again(store: Store) -> None:
    small = budget(limit=10)
    assert await admits(store, "a", Hold(small, 10))
    assert await admits(store, "a", Hold(small, 10))
    assert not await admits(store, "b", Hold(small, 10))
    assert await held(store, small) == [(0, 10)]


async def test_a_released_reservation_is_as_if_it_had_never_been(store: Store) -> None:
    small = budget()
    await admits(store, "a", Hold(small, 10))
    assert await store.release(CallId("a")) == "note of a"
    assert await store.release(CallId("a")) is None
    assert await held(store, small) == [(0, 0)]


async def test_a_call_without_a_charge_is_committed_at_its_estimate(store: Store) -> None:
    small = budget()
    await admits(store, "a", Hold(small, 10))
    assert await store.commit(CallId("a")) == "note of a"
    assert await store.commit(CallId("a")) is None
    assert await held(store, small) == [(10, 0)]


async def test_a_call_without_a_charge_is_charged_what_is_due_though_less_was_held(store: Store) -> None:
    small = budget()
    await admits(store, "a", Hold(small, 10, due=500))
    assert await held(store, small) == [(0, 10)]
    await store.commit(CallId("a"))
    assert await held(store, small) == [(500, 0)]
    await store.charge(CallId("a"), {small: 70}, NOW)
    assert await held(store, small) == [(70, 0)]


async def test_an_estimate_made_after_a_reset_is_replaced_all_the_same(store: Store) -> None:
    small = budget()
    await store.charge(CallId("before"), {small: 5}, NOW)
    await store.reset([small], NOW)
    await admits(store, "a", Hold(small, 10))
    await store.commit(CallId("a"))
    await store.charge(CallId("a"), {small: 7}, NOW)
    assert await held(store, small) == [(7, 0)]


@pytest.mark.parametrize("window", [budget().window, DAY])
async def test_a_charge_that_comes_after_the_estimate_replaces_it(store: Store, window: RollingWindow) -> None:
    small = budget(window=window)
    await admits(store, "a", Hold(small, 10))
    await store.commit(CallId("a"))
    assert await store.charge(CallId("a"), {small: 70}, LATER)
    assert await held(store, small) == [(70, 0)]


async def test_an_estimate_that_was_forgiven_is_not_taken_back_twice(store: Store) -> None:
    small = budget()
    await admits(store, "a", Hold(small, 10))
    await store.commit(CallId("a"))
    await store.reset([small], NOW)
    await store.charge(CallId("other"), {small: 5}, NOW)
    await store.charge(CallId("a"), {small: 7}, NOW)
    assert await held(store, small) == [(12, 0)]


async def test_a_reservation_lapses_at_its_deadline_and_is_committed(store: Store) -> None:
    small = budget()
    await admits(store, "a", Hold(small, 10))
    assert await store.expire(NOW + 299) == []
    assert await store.expire(NOW + 300) == [Lapsed("a", True, "note of a")]
    assert await store.expire(NOW + 300) == []
    assert await held(store, small) == [(10, 0)]


async def test_without_ids_a_charge_ends_the_oldest_reservation_of_its_lane(store: Store) -> None:
    small = budget()
    await admits(store, "x", Hold(small, 10), lane="one")
    await admits(store, "y", Hold(small, 20), lane="one")
    await admits(store, "z", Hold(small, 40), lane="two")
    await store.charge(CallId("u", "one"), {small: 1}, NOW)
    assert await held(store, small) == [(1, 60)]
    await store.charge(CallId("v", "one"), {small: 1}, NOW)
    await store.charge(CallId("w", "one"), {small: 1}, NOW)
    assert await held(store, small) == [(3, 40)]


async def test_without_an_id_a_reservation_that_lapses_is_released(store: Store) -> None:
    small = budget()
    await admits(store, "x", Hold(small, 10), lane="one")
    assert await store.expire(NOW + 300) == [Lapsed("x", False, "note of x")]
    await store.charge(CallId("u", "one"), {small: 1}, NOW)
    assert await held(store, small) == [(1, 0)]


async def test_spend_leaves_a_rolling_window_step_by_step_and_never_early(store: Store) -> None:
    rolling = budget(window=DAY)
    await store.charge(CallId("a"), {rolling: 1}, NOW)
    await store.charge(CallId("b"), {rolling: 10}, NOW + 43_200)
    assert await held(store, rolling, now=NOW + 86_400) == [(11, 0)]
    assert await held(store, rolling, now=NOW + 86_400 + DAY.step) == [(10, 0)]
    assert await held(store, rolling, now=NOW + 129_600 + DAY.step) == [(0, 0)]


async def test_a_spent_rolling_window_tells_when_there_is_room_again(store: Store) -> None:
    rolling = budget(window=DAY, limit=100)
    await store.charge(CallId("a"), {rolling: 30}, NOW)
    await store.charge(CallId("b"), {rolling: 80}, NOW + 3_600)
    (tally,) = await store.read([rolling], NOW + 3_600)
    assert tally.room_after == NOW // DAY.step
    opens = DAY.resets_at(NOW + 3_600, tally.room_after)
    assert not await admits(store, "c", Hold(rolling, 1), now=opens - 1)
    assert await admits(store, "d", Hold(rolling, 1), now=opens)


async def test_a_clock_that_is_set_back_fills_no_bucket_that_nothing_would_empty(store: Store) -> None:
    rolling = budget(window=DAY)
    await store.charge(CallId("a"), {rolling: 1}, NOW)
    await store.read([rolling], NOW + 200_000)
    await store.charge(CallId("b"), {rolling: 10}, NOW)
    assert await held(store, rolling, now=NOW + 200_000) == [(10, 0)]
    assert await held(store, rolling, now=NOW + 400_000) == [(0, 0)]


async def test_a_fixed_window_starts_empty(store: Store) -> None:
    monthly = budget()
    await store.charge(CallId("a"), {monthly: 9}, NOW)
    assert await held(store, monthly, now=NOW + 31 * 86_400) == [(0, 0)]


async def test_a_charge_in_the_next_window_gives_back_what_was_reserved_in_the_last(store: Store) -> None:
    monthly, later = budget(), NOW + 31 * 86_400
    await admits(store, "a", Hold(monthly, 10))
    await store.charge(CallId("a"), {monthly: 7}, later)
    assert await held(store, monthly) + await held(store, monthly, now=later) == [(0, 0), (7, 0)]


async def test_a_reset_empties_what_is_used_and_leaves_what_is_held(store: Store) -> None:
    small, other = budget("small"), budget("other")
    await store.charge(CallId("a"), {small: 9, other: 9}, NOW)
    await admits(store, "b", Hold(small, 10))
    (before,) = await store.reset([small], NOW)
    assert (before.used, before.reserved) == (9, 10)
    assert await held(store, small, other) == [(0, 10), (9, 0)]
    await store.charge(CallId("b"), {small: 4}, NOW)
    assert await held(store, small) == [(4, 0)]


async def test_amounts_are_exact_beyond_what_a_float_can_hold(store: Store) -> None:
    dollars = budget(limit=HUGE + 2)
    await store.charge(CallId("a"), {dollars: HUGE}, NOW)
    await store.charge(CallId("b"), {dollars: 1}, NOW)
    assert await held(store, dollars) == [(HUGE + 1, 0)]
    assert await admits(store, "c", Hold(dollars, 1))
    assert not await admits(store, "d", Hold(dollars, 1))


async def test_burn_fades(store: Store) -> None:
    small = budget()
    await store.charge(CallId("a"), {small: 600}, NOW)
    (tally,) = await store.read([small], NOW)
    assert tally.burn_rate(NOW) == pytest.approx(600 / FADES)
    assert tally.burn_rate(NOW + FADES) == pytest.approx(600 / FADES / 2.718281828)


async def test_the_keys_of_what_was_charged_are_known(store: Store) -> None:
    await store.charge(CallId("a"), {budget(team="ops"): 1, budget(team="a:b", window=DAY): 1}, NOW)
    assert await store.charged_keys() == {budget(team="ops").key, budget(team="a:b", window=DAY).key}


async def test_raises_are_kept_until_they_are_forgotten(store: Store) -> None:
    await store.keep_raise("k", "one")
    await store.keep_raise("l", "two")
    await store.keep_raise("k", None)
    assert await store.raises() == {"l": "two"}


async def test_hundreds_of_calls_at_once_lose_nothing(store: Store) -> None:
    small = budget(limit=10**6)
    await asyncio.gather(*(admits(store, f"{n}", Hold(small, n)) for n in range(400)))
    assert await held(store, small) == [(0, 79_800)]
    await asyncio.gather(*(store.charge(CallId(f"{n}"), {small: n}, NOW) for n in range(400)))
    assert await held(store, small) == [(79_800, 0)]


async def test_a_week_of_idleness_leaves_one_bucket(store: Store) -> None:
    rolling = budget(window=RollingWindow(Unit.DAY))
    for hour in range(30):
        await store.charge(CallId(f"{hour}"), {rolling: 1}, NOW + hour * 3_600)
    assert await held(store, rolling, now=NOW + 29 * 3_600) == [(25, 0)]
    await store.charge(CallId("late"), {rolling: 5}, NOW + 7 * 86_400)
    assert await held(store, rolling, now=NOW + 7 * 86_400) == [(5, 0)]
