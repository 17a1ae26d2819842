"""What a caller hands down can only tighten."""

import pytest
from langchain_core.messages import HumanMessage

from agents.lineage import Lineage
from agents.llm.ladder import FIT, Ladder
from agents.llm.meter import LastMeter
from agents.outcomes import Answered, BudgetExhausted, Meter
from agents.run import Run, current_run
from agents.server.inbound import UNREADABLE
from agents.texts import KEPT_OF_AN_ALLOWANCE, reply_to
from agents.usage import Usage, UsageTree
from tests.unit.agents.doubles import Gateway, answer, completion, llm_through, within

pytestmark = pytest.mark.anyio


def run_with(allowance: int | None) -> Run:
    return Run("dba-agent", task_id="t", lineage=Lineage(allowance=allowance))


def answering() -> Gateway:
    return Gateway(answer(200, completion()))


async def test_an_answer_is_bounded_by_what_is_left() -> None:
    gateway, run = answering(), run_with(2000)
    async with llm_through(gateway) as llm:
        for _ in range(3):
            assert isinstance(await within(run, llm([HumanMessage("hi")])), Answered)
    assert [gateway.asked(index)["max_tokens"] for index in range(3)] == [2000, 2000 - 713, 2000 - 2 * 713]


@pytest.mark.parametrize(("allowance", "bound"), [(FIT, FIT), (FIT + 1, None), (10**9, None)])
async def test_a_bound_far_above_an_answer_is_left_out(allowance: int, bound: int | None) -> None:
    gateway = answering()
    async with llm_through(gateway) as llm:
        await within(run_with(allowance), llm([HumanMessage("hi")]))
    assert gateway.asked().get("max_tokens") == bound


async def test_a_call_whose_usage_is_not_told_is_guessed_and_spends_the_allowance_but_is_not_reported() -> None:
    document = completion("x" * 400)
    del document["usage"]
    gateway, run = Gateway(answer(200, document)), run_with(250)
    async with llm_through(gateway) as llm:
        for _ in range(9):
            outcome = await within(run, llm([HumanMessage("hi")]))
    assert isinstance(outcome, BudgetExhausted)
    # 100 tokens an answer, and some for the question.
    assert len(gateway.requests) == 3
    assert (run.usage.total, run.usage.calls) == (0, 3)
    assert run.allowance_left == 0


async def test_a_call_whose_usage_is_told_is_not_guessed() -> None:
    run = run_with(2000)
    async with llm_through(answering()) as llm:
        await within(run, llm([HumanMessage("x" * 4000)]))
    assert run.unreported == 0
    assert run.allowance_left == 2000 - 713


async def test_what_peers_spent_is_spent() -> None:
    gateway, run = answering(), run_with(2000)
    run.usage.peers.append(UsageTree("support", Usage(100, 400, 500), 1))
    async with llm_through(gateway) as llm:
        await within(run, llm([HumanMessage("hi")]))
    assert gateway.asked()["max_tokens"] == 1500


async def test_without_an_allowance_nothing_is_bounded() -> None:
    gateway = answering()
    async with llm_through(gateway) as llm:
        await within(run_with(None), llm([HumanMessage("hi")]))
    assert "max_tokens" not in gateway.asked()


@pytest.mark.parametrize(("allowance", "bound"), [(100, 100), (5000, 900)])
async def test_of_the_ladders_bound_and_the_allowance_the_tighter_one_holds(allowance: int, bound: int) -> None:
    gateway, last = answering(), LastMeter()
    last.read(Meter(10_000, 900, 60))
    async with llm_through(gateway, ladder=Ladder(), last_meter=last) as llm:
        await within(run_with(allowance), llm([HumanMessage("hi")]))
    assert gateway.asked()["max_tokens"] == bound


@pytest.mark.parametrize("allowance", [0, 713, 700, UNREADABLE])
async def test_a_spent_allowance_costs_no_request_and_has_a_sentence_of_its_own(allowance: int) -> None:
    gateway, run = answering(), run_with(allowance)
    run.usage.count(Usage(13, 700, 713))
    async with llm_through(gateway) as llm:
        outcome = await within(run, llm([HumanMessage("hi")]))
    assert gateway.requests == []
    assert isinstance(outcome, BudgetExhausted)
    assert (outcome.status, outcome.resets_at, outcome.resets_in) == (None, None, None)
    assert outcome.budget is not None
    assert outcome.budget["subject"] == {"task": "t"}
    assert (outcome.budget["used"], outcome.budget["remaining"]) == (713, 0)
    assert reply_to(outcome, "dba") == (
        f"The allowance of {allowance} tokens that came with this task is spent. {KEPT_OF_AN_ALLOWANCE}"
    )


async def test_a_run_is_current_for_its_own_work_only() -> None:
    run = run_with(7)

    async def what_is_left() -> int | None:
        return current_run().allowance_left

    assert await within(run, what_is_left()) == 7
    assert current_run().allowance_left is None
