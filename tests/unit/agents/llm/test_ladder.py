from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from agents.llm.ladder import ASK_FOR_BREVITY, FIT, Ladder
from agents.llm.meter import LastMeter
from agents.outcomes import Meter
from agents.run import Run
from tests.unit.agents.doubles import Gateway, answer, completion, llm_through, within

pytestmark = pytest.mark.anyio

SYSTEM = {"role": "system", "content": "Be kind."}
USER = {"role": "user", "content": "hi"}
REQUEST: dict[str, Any] = {"model": "dear", "messages": [SYSTEM, USER]}
BRIEFLY = [{"role": "system", "content": f"Be kind.\n{ASK_FOR_BREVITY}"}, USER]


def fitted(
    remaining: int | None, limit: int | None, unit: str = "tokens", cheaper: str | None = "cheap"
) -> tuple[Any, list[str]]:
    run = Run()
    return Ladder(cheaper).fit(REQUEST, Meter(limit, remaining, 60, unit), run), run.savings


@pytest.mark.parametrize(
    ("remaining", "limit", "changes", "words"),
    [
        (FIT + 1, 10_000, {}, []),
        (FIT, 10_000, {"max_tokens": FIT}, [f"max_tokens {FIT}"]),
        (2001, 10_000, {"max_tokens": 2001}, ["max_tokens 2001"]),
        (2000, 10_000, {"max_tokens": 2000, "messages": BRIEFLY}, ["max_tokens 2000", "asked for brevity"]),
        (1001, 10_000, {"max_tokens": 1001, "messages": BRIEFLY}, ["max_tokens 1001", "asked for brevity"]),
        (
            1000,
            10_000,
            {"max_tokens": 1000, "messages": BRIEFLY, "model": "cheap"},
            ["max_tokens 1000", "asked for brevity", "model cheap"],
        ),
        (100_000, 1_000_000, {"messages": BRIEFLY, "model": "cheap"}, ["asked for brevity", "model cheap"]),
        (0, 10_000, {"messages": BRIEFLY, "model": "cheap"}, ["asked for brevity", "model cheap"]),
    ],
)
def test_each_step_begins_where_so_much_is_left_and_says_so(
    remaining: int, limit: int, changes: dict[str, object], words: list[str]
) -> None:
    assert fitted(remaining, limit) == ({**REQUEST, **changes}, words)


def test_without_a_cheaper_model_the_model_stays() -> None:
    request, words = fitted(1000, 10_000, cheaper=None)
    assert request["model"] == "dear"
    assert words == ["max_tokens 1000", "asked for brevity"]


def test_millionths_of_a_dollar_are_no_tokens() -> None:
    request, words = fitted(1000, 10_000, unit="micro-usd")
    assert "max_tokens" not in request
    assert words == ["asked for brevity", "model cheap"]


@pytest.mark.parametrize(("remaining", "limit"), [(None, 10_000), (0, None), (0, 0)])
def test_without_a_figure_nothing_changes(remaining: int | None, limit: int | None) -> None:
    assert fitted(remaining, limit) == (REQUEST, [])


def test_a_conversation_without_a_system_message_gets_one() -> None:
    request = Ladder().fit({"messages": [USER]}, Meter(10_000, 2000, 60, "micro-usd"), Run())
    assert request["messages"] == [{"role": "system", "content": ASK_FOR_BREVITY}, USER]


def test_the_request_that_it_is_handed_stays_as_it_is() -> None:
    fitted(0, 10_000)
    assert {"model": "dear", "messages": [SYSTEM, USER]} == REQUEST
    assert SYSTEM == {"role": "system", "content": "Be kind."}


def test_the_same_step_is_told_once_in_a_run() -> None:
    run = Run()
    for _ in range(3):
        Ladder().fit(REQUEST, Meter(10_000, 1500, 60), run)
    assert run.savings == ["max_tokens 1500", "asked for brevity"]


LOW = {"x-ratelimit-limit": "10000", "x-ratelimit-remaining": "900", "x-ratelimit-reset": "60"}


@pytest.mark.parametrize("ladder", [Ladder("cheap"), None])
async def test_the_llm_is_asked_by_the_last_answers_meter_where_there_is_a_ladder(ladder: Ladder | None) -> None:
    gateway, run = Gateway(answer(200, completion(), LOW)), Run()
    async with llm_through(gateway, ladder=ladder) as llm:
        for _ in range(2):
            await within(run, llm([SystemMessage("Be kind."), HumanMessage("hi")]))
    assert (gateway.asked(0)["model"], "max_tokens" in gateway.asked(0)) == ("mock-essay-7b", False)
    if ladder:
        assert (gateway.asked(1)["model"], gateway.asked(1)["max_tokens"]) == ("cheap", 900)
        assert gateway.conversation(1) == [("system", f"Be kind.\n{ASK_FOR_BREVITY}"), ("user", "hi")]
        assert run.savings == ["max_tokens 900", "asked for brevity", "model cheap"]
    else:
        assert {**gateway.asked(1)} == gateway.asked(0)
        assert run.savings == []


async def test_the_meter_of_a_refusal_is_read() -> None:
    last, run = LastMeter(), Run()
    async with llm_through(Gateway(answer(429, None, {**LOW, "x-ratelimit-remaining": "0"})), last_meter=last) as llm:
        await within(run, llm([HumanMessage("hi")]))
    assert last.meter == run.meter == Meter(10_000, 0, 60)


async def test_a_refusal_without_a_meter_leaves_the_last_one_as_it_was() -> None:
    last = LastMeter()
    async with llm_through(Gateway(answer(200, completion(), LOW), answer(402)), last_meter=last) as llm:
        for _ in range(2):
            await llm([HumanMessage("hi")])
    assert last.meter == Meter(10_000, 900, 60)
