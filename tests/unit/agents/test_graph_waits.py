"""ON_BUDGET_EXHAUSTED=wait: a task waits for its budget, within a bound."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from langchain_core.messages import HumanMessage

from agents.graph import SHORTEST_WAIT, SPREAD, AgentState, build_graph
from agents.lineage import Lineage
from agents.outcomes import BudgetExhausted, Meter
from agents.progress import Note
from agents.run import Run
from tests.unit.agents.doubles import NOON, SPENT, Ears, Model, answered, kit, within

pytestmark = pytest.mark.anyio

RESET = NOON + timedelta(minutes=20)


@pytest.fixture
def spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wait is a second longer than it need be."""
    monkeypatch.setattr("agents.graph.random.uniform", lambda _least, _most: 1.0)


spread_by_one = pytest.mark.usefixtures("spread")


class Clock:
    """Time that passes only while the agent sleeps."""

    def __init__(self) -> None:
        self.now = NOON
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


async def turn(model: Model, longest_wait: float, clock: Clock, ears: Ears | None = None, run: Run | None = None) -> AgentState:
    graph = build_graph(kit(model, longest_wait=longest_wait), now=clock, sleep=clock.sleep)
    call = graph.ainvoke({"messages": [HumanMessage("q1")]}, {"configurable": {"thread_id": "c"}}, durability="exit")
    return cast(AgentState, await within(run or Run(listener=ears or Ears()), call))


async def test_a_wait_is_spread_by_a_moment() -> None:
    clock = Clock()
    await turn(Model(SPENT, answered()), 3600, clock)
    assert 1200 <= clock.slept[0] <= 1200 + SPREAD


@spread_by_one
async def test_it_waits_until_the_reset_says_so_and_asks_once_more() -> None:
    clock, ears, model = Clock(), Ears(), Model(SPENT, answered("at last"))
    assert (await turn(model, 3600, clock, ears))["reply"] == "at last"
    assert clock.slept == [1201]
    assert ears.heard == [Note("The budget is spent. This task waits and goes on by itself at 15:01 UTC, in 20 minutes.")]
    assert model.conversations == [[("system", "Be brief."), ("human", "q1")]] * 2


async def test_a_reset_in_seconds_is_waited_for_too() -> None:
    clock = Clock()
    spent = BudgetExhausted(429, None, None, 90, Meter())
    assert (await turn(Model(spent, answered("at last")), 3600, clock))["reply"] == "at last"
    assert 90 <= clock.slept[0] <= 90 + SPREAD


async def test_agents_that_wait_for_the_same_reset_do_not_all_ask_at_once() -> None:
    slept = set()
    for _ in range(5):
        clock = Clock()
        await turn(Model(SPENT, answered()), 3600, clock)
        slept |= set(clock.slept)
    assert len(slept) > 1


@pytest.mark.parametrize(("longest_wait", "waits"), [(1200, 1), (1199, 0), (0, 0)])
async def test_a_reset_that_is_too_far_is_not_waited_for(longest_wait: float, waits: int) -> None:
    clock, ears = Clock(), Ears()
    state = await turn(Model(SPENT, answered()), longest_wait, clock, ears)
    assert len(clock.slept) == len(ears.heard) == waits
    assert (state["outcome"] == SPENT) == (waits == 0)


async def test_a_reset_that_is_unknown_is_not_waited_for() -> None:
    spent = replace(SPENT, resets_at=None, resets_in=None)
    clock, model = Clock(), Model(spent, answered())
    state = await turn(model, 3600, clock)
    assert clock.slept == []
    assert state["outcome"] == spent
    assert len(model.conversations) == 1


@spread_by_one
@pytest.mark.parametrize(
    "spent",
    [
        replace(SPENT, resets_at=NOON - timedelta(seconds=5)),
        replace(SPENT, resets_at=NOON - timedelta(days=400)),
        replace(SPENT, resets_at=NOON),
        replace(SPENT, resets_at=NOON + timedelta(seconds=SHORTEST_WAIT - 1)),
        replace(SPENT, resets_at=None, resets_in=0),
    ],
)
async def test_a_reset_that_is_over_or_near_is_waited_for_a_few_seconds(spent: BudgetExhausted) -> None:
    clock = Clock()
    assert (await turn(Model(spent, answered("at last")), 3600, clock))["reply"] == "at last"
    assert clock.slept == [6]
    assert SHORTEST_WAIT == 5


@spread_by_one
async def test_each_wait_of_a_turn_is_twice_as_long_at_least_and_few_of_them_fill_an_hour() -> None:
    clock, model = Clock(), Model(replace(SPENT, resets_at=None, resets_in=1))
    state = await turn(model, 3600, clock)
    assert clock.slept == [5 * 2**number + 1 for number in range(9)]
    assert len(model.conversations) == 10
    assert isinstance(state["outcome"], BudgetExhausted)


@spread_by_one
async def test_a_later_wait_goes_on_until_the_reset_where_that_is_later() -> None:
    clock = Clock()
    near, far = (replace(SPENT, resets_at=None, resets_in=seconds) for seconds in (1, 300))
    await turn(Model(near, far, near, answered()), 3600, clock)
    assert clock.slept == [6, 301, 21]


@spread_by_one
@pytest.mark.parametrize(("longest_wait", "asked"), [(600, 2), (601, 3), (901, 3), (902, 4)])
async def test_waits_are_bounded_in_sum(longest_wait: float, asked: int) -> None:
    clock = Clock()
    model = Model(replace(SPENT, resets_at=None, resets_in=300))
    state = await turn(model, longest_wait, clock)
    assert len(model.conversations) == asked
    assert len(clock.slept) == asked - 1
    assert "Sorry — your team's LLM token budget is exhausted." in state["reply"]


@spread_by_one
async def test_every_wait_says_its_own_moment() -> None:
    clock, ears = Clock(), Ears()
    await turn(Model(SPENT, replace(SPENT, resets_at=RESET + timedelta(hours=1)), answered()), 7200, clock, ears)
    notes = [note.text for note in ears.heard if isinstance(note, Note)]
    assert [text.split(" at ")[1][:9] for text in notes] == ["15:01 UTC", "16:01 UTC"]


async def test_the_wait_of_one_turn_is_not_counted_against_the_next() -> None:
    clock, model = Clock(), Model(replace(SPENT, resets_at=None, resets_in=1000))
    graph = build_graph(kit(model, longest_wait=1000), now=clock, sleep=clock.sleep)
    config: Any = {"configurable": {"thread_id": "c"}}
    for text in ("q1", "q2"):
        await graph.ainvoke({"messages": [HumanMessage(text)]}, config, durability="exit")
    assert len(model.conversations) == 4


async def test_a_run_knows_while_its_turn_waits() -> None:
    run = Run()
    seen: list[bool] = []

    async def sleep(_: float) -> None:
        seen.append(run.waiting)

    graph = build_graph(kit(Model(SPENT, answered()), longest_wait=3600), now=Clock(), sleep=sleep)
    await within(run, graph.ainvoke({"messages": [HumanMessage("q1")]}, {"configurable": {"thread_id": "c"}}))
    assert seen == [True]
    assert not run.waiting


async def test_a_spent_allowance_is_not_waited_for() -> None:
    clock, ears = Clock(), Ears()
    spent = BudgetExhausted(None, {"limit": 5}, None, None, Meter())
    state = await turn(Model(spent), 3600, clock, run=Run(lineage=Lineage(allowance=5), listener=ears))
    assert (clock.slept, ears.heard) == ([], [])
    assert state["reply"].startswith("The allowance of 5 tokens")
