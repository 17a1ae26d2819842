"""What is counted and kept of an answer that came to nothing."""

from typing import Any

import httpx
import pytest
from langchain_core.messages import HumanMessage

from agents.outcomes import (
    Answered,
    BudgetExhausted,
    Outcome,
    ToolsCalled,
)
from agents.run import Run
from tests.unit.agents.doubles import (
    DONE,
    SPENT_BODY,
    STOP,
    USAGE,
    USED,
    Ears,
    Gateway,
    answer,
    chunk,
    completion,
    llm_through,
    streamed,
    within,
)

pytestmark = pytest.mark.anyio

CUT = httpx.RemoteProtocolError("peer closed connection")
WHOLE = (chunk("", role="assistant"), chunk("An "), chunk("essay."), STOP, USED, DONE)
BUSY = {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}


async def ask(gateway: Gateway, run: Run, stream: bool = True) -> Outcome:
    async with llm_through(gateway, llm_stream=stream) as llm:
        return await within(run, llm([HumanMessage("hi")]))


@pytest.mark.parametrize("end", [CUT, None])
async def test_each_attempt_is_counted_whose_usage_was_told(end: Exception | None) -> None:
    run = Run("dba-agent")
    await ask(Gateway(streamed(chunk("An "), USED, end=end), streamed(*WHOLE)), run)
    assert (run.usage.own.total, run.usage.calls) == (2 * USAGE.total, 2)


@pytest.mark.parametrize("error", [SPENT_BODY, {"error": {"code": 400}}, BUSY])
async def test_what_a_stream_says_that_it_used_is_counted_though_it_ends_in_an_error(error: dict[str, Any]) -> None:
    run = Run("dba-agent", listener=Ears(has_read=True))
    await ask(Gateway(streamed(chunk("An "), USED, error)), run)
    assert (run.usage.own, run.usage.calls) == (USAGE, 1)


@pytest.mark.parametrize(("has_read", "partial"), [(True, "An ess"), (False, "")])
@pytest.mark.parametrize("last", [SPENT_BODY, {"error": {"code": 400}}, {"error": {"code": 401}}, BUSY, b"data: {\n\n"])
async def test_words_that_the_user_has_read_are_kept_whatever_comes_after_them(
    last: object, has_read: bool, partial: str
) -> None:
    run = Run("dba-agent", listener=Ears(has_read))
    await ask(Gateway(streamed(chunk("An "), chunk("ess"), last)), run)
    assert run.partial == partial


async def test_words_of_an_answer_that_came_after_all_are_not_kept_apart() -> None:
    run = Run("dba-agent", listener=Ears(has_read=True))
    gateway = Gateway(streamed(chunk("An ess"), SPENT_BODY), streamed(*WHOLE))
    for outcome in (BudgetExhausted, Answered):
        assert isinstance(await ask(gateway, run), outcome)
        assert bool(run.partial) is (outcome is BudgetExhausted)


CHARGED = {"usage": {"prompt_tokens": 13, "completion_tokens": 700, "total_tokens": 713}}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "document", [{"choices": []}, completion(""), {"error": {"message": "too long", "code": 400}}, SPENT_BODY]
)
async def test_an_answer_of_no_use_is_counted_where_it_was_charged(document: dict[str, object], stream: bool) -> None:
    ears = Ears()
    run = Run("dba-agent", listener=ears)
    assert not isinstance(await ask(Gateway(answer(200, document | CHARGED)), run, stream=stream), Answered | ToolsCalled)
    assert (run.usage.own, run.usage.calls, ears.heard) == (USAGE, 1, [])


@pytest.mark.parametrize("status", [429, 500])
async def test_the_usage_of_what_was_refused_is_not_believed(status: int) -> None:
    run = Run("dba-agent")
    await ask(Gateway(answer(status, SPENT_BODY | CHARGED)), run)
    assert run.usage.calls == 0
