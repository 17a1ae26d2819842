import json
from collections.abc import Callable

import pytest

from budgets.budget import Budget
from budgets.raises import Raise, Raises
from budgets.stores.memory import MemoryStore
from budgets.stores.store import StoreAway
from budgets.windows import FixedWindow, RollingWindow, Unit
from tests.unit.budgets.some_budgets import budget

pytestmark = pytest.mark.anyio

MONDAY = 1_763_942_400.0
"""2025-11-24T00:00:00Z, a Monday."""

HOURLY = budget("hourly", 100, FixedWindow(Unit.HOUR))
ROLLING = budget("rolling", 100, RollingWindow(Unit.DAY))


class Clock:
    def __init__(self, now: float = MONDAY + 600) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def raises(store: MemoryStore, clock: Callable[[], float]) -> Raises:
    return Raises(store, clock)


async def test_without_a_raise_the_limit_is_that_of_the_policy(raises: Raises) -> None:
    assert raises.applied(HOURLY) is HOURLY
    assert raises.of(HOURLY) is None
    assert not raises.any


@pytest.mark.parametrize(
    ("unit", "windows", "until"),
    [
        (Unit.HOUR, 1, MONDAY + 3_600),
        (Unit.HOUR, 3, MONDAY + 3 * 3_600),
        (Unit.DAY, 1, MONDAY + 86_400),
        (Unit.WEEK, 2, MONDAY + 14 * 86_400),
        (Unit.MONTH, 2, 1_767_225_600),
    ],
)
async def test_a_raise_lasts_for_the_window_that_runs_and_those_after_it(
    raises: Raises, unit: Unit, windows: int, until: float
) -> None:
    assert (await raises.raise_limit(budget(window=FixedWindow(unit)), 500, windows)) == Raise(500, until)


async def test_a_raise_follows_the_calendar_of_the_window(raises: Raises) -> None:
    in_berlin = budget(window=FixedWindow(Unit.DAY, "Europe/Berlin"))
    assert (await raises.raise_limit(in_berlin, 500, 1)).until == MONDAY + 23 * 3_600


@pytest.mark.parametrize("windows", [1, 7])
async def test_of_a_rolling_window_a_raise_lasts_for_so_many_lengths_from_now(
    raises: Raises, clock: Clock, windows: int
) -> None:
    assert (await raises.raise_limit(ROLLING, 500, windows)).until == clock.now + windows * 86_400


@pytest.mark.parametrize("limit", [500, 1, 0])
async def test_a_limit_may_be_raised_or_lowered_until_the_raise_ends(raises: Raises, clock: Clock, limit: int) -> None:
    raised = await raises.raise_limit(HOURLY, limit, 1)
    assert raises.any
    assert raises.applied(HOURLY).limit == limit
    assert raises.applied(HOURLY).key == HOURLY.key
    assert raises.of(HOURLY) == raised
    clock.now = raised.until - 0.001
    assert raises.applied(HOURLY).limit == limit
    clock.now = raised.until
    assert raises.applied(HOURLY).limit == 100
    assert raises.of(HOURLY) is None


async def test_a_raise_is_of_one_budget(raises: Raises) -> None:
    await raises.raise_limit(HOURLY, 500, 1)
    others: list[Budget] = [ROLLING, budget("hourly", 100, FixedWindow(Unit.HOUR), team="support")]
    assert [raises.applied(other).limit for other in others] == [100, 100]


async def test_a_replica_takes_up_what_another_has_raised(raises: Raises, store: MemoryStore, clock: Clock) -> None:
    raised = await raises.raise_limit(HOURLY, 500, 1)
    replica = Raises(store, clock)
    assert not replica.any
    await replica.load()
    assert replica.of(HOURLY) == raised


@pytest.mark.parametrize("kept", ["", "[]", "{", '{"limit": 5}', '{"limit": "x", "until": 1}', "null"])
async def test_what_it_cannot_read_is_passed_over(raises: Raises, store: MemoryStore, kept: str) -> None:
    await store.keep_raise("k", kept)
    await raises.load()
    assert not raises.any


async def test_the_last_of_two_raises_counts(raises: Raises, store: MemoryStore, clock: Clock) -> None:
    await raises.raise_limit(HOURLY, 500, 3)
    await raises.raise_limit(HOURLY, 50, 1)
    await raises.load()
    assert raises.of(HOURLY) == Raise(50, MONDAY + 3_600)


async def test_a_raise_that_another_replica_has_forgotten_is_forgotten_here_too(raises: Raises, store: MemoryStore) -> None:
    await raises.raise_limit(HOURLY, 500, 1)
    await store.keep_raise(HOURLY.key, None)
    await raises.load()
    assert not raises.any


async def test_what_has_ended_is_forgotten_in_the_store_and_what_has_not_is_kept(
    raises: Raises, store: MemoryStore, clock: Clock
) -> None:
    raised = await raises.raise_limit(HOURLY, 500, 1)
    await raises.raise_limit(ROLLING, 500, 1)
    clock.now = raised.until
    await raises.load()
    assert set(await store.raises()) == {ROLLING.key}
    assert (raises.of(HOURLY), raises.applied(ROLLING).limit) == (None, 500)


async def test_what_is_kept_is_a_limit_and_its_end(raises: Raises, store: MemoryStore) -> None:
    await raises.raise_limit(HOURLY, 500, 1)
    assert json.loads((await store.raises())[HOURLY.key]) == {"limit": 500, "until": MONDAY + 3_600}


class Away(MemoryStore):
    async def keep_raise(self, key: str, kept: str | None) -> None:
        raise StoreAway


async def test_a_raise_that_cannot_be_kept_does_not_count(clock: Clock) -> None:
    raises = Raises(Away(), clock)
    with pytest.raises(StoreAway):
        await raises.raise_limit(HOURLY, 500, 1)
    assert raises.applied(HOURLY).limit == 100
