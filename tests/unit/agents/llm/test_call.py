import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from agents.kit import Tool
from agents.llm.retries import ATTEMPTS, LONGEST_WAIT
from agents.outcomes import (
    Answered,
    BudgetExhausted,
    IdentityRefused,
    Outcome,
    RequestRefused,
    Throttled,
    ToolsCalled,
    UpstreamFailed,
)
from agents.progress import Said
from agents.run import Run
from tests.unit.agents.doubles import (
    BUDGET,
    SPENT_BODY,
    USAGE,
    Ears,
    Gateway,
    Naps,
    answer,
    completion,
    llm_through,
    token,
    within,
)

pytestmark = pytest.mark.anyio

BUSY = {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}
RESERVED = {"error": {"message": "Calls under way have reserved it.", "type": "budget_exceeded", "code": "budget_reserved"}}


async def ask(gateway: Gateway, naps: Naps | None = None, run: Run | None = None, stream: bool = True) -> Outcome:
    async with llm_through(gateway, naps, llm_stream=stream) as llm:
        return await within(run or Run(), llm([HumanMessage("hi")]))


async def test_the_request_is_openais_with_the_teams_token() -> None:
    gateway = Gateway(answer(200, completion()))
    oracle: Tool = {"type": "function", "function": {"name": "oracle"}}
    asking = AIMessage("", tool_calls=[{"name": "oracle", "args": {"message": "hm"}, "id": "1"}])
    async with llm_through(gateway, llm_model="m") as llm:
        await llm([SystemMessage("Be brief."), HumanMessage("q"), asking, ToolMessage("a", tool_call_id="1")], [oracle])
    (request,) = gateway.requests
    assert (request.method, str(request.url)) == ("POST", "http://127.0.0.1:8090/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {token(team='dba')}"
    system, question, calls, said = gateway.asked().pop("messages")
    assert (system, question) == ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "q"})
    assert calls["tool_calls"][0]["function"] == {"name": "oracle", "arguments": '{"message": "hm"}'}
    assert said == {"role": "tool", "tool_call_id": "1", "content": "a"}
    rest = {name: value for name, value in gateway.asked().items() if name != "messages"}
    assert rest == {"model": "m", "stream": True, "stream_options": {"include_usage": True}, "tools": [oracle]}


async def test_a_tool_may_be_whatever_langchain_makes_one_of() -> None:
    def web(query: str) -> str:
        """Looks it up."""
        return query

    gateway = Gateway(answer(200, completion()))
    async with llm_through(gateway) as llm:
        await llm([HumanMessage("q")], [web, tool(web), {"type": "function", "function": {"name": "oracle"}}])
    *functions, oracle = gateway.asked()["tools"]
    assert oracle == {"type": "function", "function": {"name": "oracle"}}
    for function in functions:
        assert (function["type"], function["function"]["name"]) == ("function", "web")
        assert function["function"]["description"] == "Looks it up."
        assert function["function"]["parameters"]["required"] == ["query"]


async def test_a_request_for_one_document_says_nothing_of_streams_or_of_tools_that_are_not_there() -> None:
    gateway = Gateway(answer(200, completion()))
    assert isinstance(await ask(gateway, stream=False), Answered)
    assert gateway.asked() == {"model": "mock-essay-7b", "stream": False, "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("refusal", "outcome"),
    [
        (answer(429, SPENT_BODY, {"retry-after": "1"}), BudgetExhausted),
        (httpx.Response(429, text="rate limit exceeded"), BudgetExhausted),
        (httpx.Response(429, headers={"x-ratelimit-remaining": "0"}), BudgetExhausted),
        (answer(429, BUSY, {"x-envoy-ratelimited": "true"}), BudgetExhausted),
        (answer(429, {"error": {"type": "insufficient_quota"}}), BudgetExhausted),
        (answer(402, {"error": {"code": "insufficient_credits"}}), BudgetExhausted),
        (answer(400, {"error": {"type": "budget_exceeded"}}), BudgetExhausted),
        (answer(403, {"error": {"code": "spend_limit_exceeded"}}), BudgetExhausted),
        (answer(412, {"error": {"code": "spend_limit_exceeded"}}), BudgetExhausted),
        (answer(422, {"error": {"code": "budget_exceeded"}}), BudgetExhausted),
        (httpx.Response(401, text="Jwt is expired"), IdentityRefused),
        (httpx.Response(403, text="RBAC: access denied"), IdentityRefused),
        (answer(429, {"error": {"code": "no_budget", "message": "none"}}), RequestRefused),
        (answer(403, {"error": {"code": "no_budget", "message": "none"}}), RequestRefused),
        (answer(429, {"error": {"code": "model_unpriced", "message": "none"}}), RequestRefused),
        (answer(400, {"error": {"message": "bad"}}), RequestRefused),
        (answer(404), RequestRefused),
        (answer(413), RequestRefused),
        (httpx.Response(200, text="{"), RequestRefused),
        (answer(200, {"choices": []}), RequestRefused),
        (answer(200, completion()), Answered),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_what_would_not_change_is_asked_exactly_once(refusal: httpx.Response, outcome: type, stream: bool) -> None:
    gateway, naps = Gateway(refusal), Naps()
    assert isinstance(await ask(gateway, naps, stream=stream), outcome)
    assert len(gateway.requests) == 1
    assert naps.seconds == []


@pytest.mark.parametrize(
    ("passing", "outcome"),
    [
        (answer(429, BUSY), Throttled),
        (answer(429, RESERVED), Throttled),
        (answer(408), UpstreamFailed),
        (answer(500), UpstreamFailed),
        (answer(503), UpstreamFailed),
        (httpx.ConnectError("refused"), UpstreamFailed),
        (httpx.ReadTimeout("slow"), UpstreamFailed),
        (httpx.RemoteProtocolError("cut"), UpstreamFailed),
        (httpx.DecodingError("not gzip"), UpstreamFailed),
    ],
)
async def test_what_may_pass_is_asked_again_within_a_bound(
    passing: httpx.Response | Exception, outcome: type[Throttled | UpstreamFailed]
) -> None:
    gateway, naps = Gateway(passing), Naps()
    assert isinstance(await ask(gateway, naps), outcome)
    assert len(gateway.requests) == ATTEMPTS == 3
    assert len(naps.seconds) == ATTEMPTS - 1


async def test_an_answer_at_the_second_attempt_is_the_answer() -> None:
    gateway = Gateway(answer(503), answer(200, completion("At last.")))
    outcome = await ask(gateway)
    assert isinstance(outcome, Answered)
    assert outcome.text == "At last."
    assert len(gateway.requests) == 2


async def test_a_budget_that_is_spent_between_two_attempts_ends_them() -> None:
    gateway = Gateway(answer(503), answer(429, SPENT_BODY), answer(200, completion()))
    assert isinstance(await ask(gateway), BudgetExhausted)
    assert len(gateway.requests) == 2


async def test_retry_after_is_honoured_up_to_a_cap_and_jittered() -> None:
    naps = Naps()
    await ask(Gateway(answer(429, BUSY, {"retry-after": "4"}), answer(503, None, {"retry-after": "3600"})), naps)
    assert 4 <= naps.seconds[0] <= 4.25
    assert LONGEST_WAIT <= naps.seconds[1] <= LONGEST_WAIT + 0.25
    assert naps.seconds[0] != 4 or naps.seconds[1] != LONGEST_WAIT


async def test_without_retry_after_waits_grow_and_stay_bounded() -> None:
    naps = Naps()
    await ask(Gateway(answer(503)), naps)
    assert 0.5 <= naps.seconds[0] <= 1
    assert 1 <= naps.seconds[1] <= 1.5


async def test_no_attempt_begins_once_the_time_is_up() -> None:
    asked = 0

    async def slow(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()
        raise AssertionError

    async with llm_through(slow, llm_timeout=0.02, llm_stream=False) as llm:
        outcome = await llm([HumanMessage("hi")])
    assert outcome == UpstreamFailed(None, reason="no whole answer within 0.02 s")
    assert asked == 2


async def test_a_cancelled_call_ends_at_once() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless(_: httpx.Request) -> httpx.Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    async with llm_through(endless) as llm:
        call = asyncio.ensure_future(llm([HumanMessage("hi")]))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert ended.is_set()


async def test_a_document_larger_than_the_bound_is_refused_without_being_kept() -> None:
    sent = 0

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal sent
            while True:
                sent += 1
                yield b" " * 1024 * 1024

    gateway = Gateway(lambda: httpx.Response(200, stream=Endless()))
    assert await ask(gateway) == RequestRefused(200, "the answer is larger than the agent takes")
    assert sent == 33
    assert len(gateway.requests) == 1


async def test_an_answer_is_counted_metered_and_told() -> None:
    ears = Ears()
    run = Run("dba-agent", listener=ears)
    headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4287", "x-ratelimit-reset": "1200"}
    outcome = await ask(Gateway(answer(200, completion("Hello."), headers)), run=run)
    assert isinstance(outcome, Answered)
    assert (run.usage.own, run.usage.calls) == (USAGE, 1)
    assert run.meter == outcome.meter
    assert run.meter.remaining == 4287
    assert ears.heard == [Said("Hello.", USAGE)]


async def test_tools_that_are_called_are_counted_and_told_too() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "oracle", "arguments": "{}"}}
    document = completion() | {"choices": [{"message": {"content": None, "tool_calls": [call]}}]}
    ears = Ears()
    run = Run("dba-agent", listener=ears)
    assert isinstance(await ask(Gateway(answer(200, document)), run=run), ToolsCalled)
    assert run.usage.own == USAGE
    assert ears.heard == [Said("", USAGE)]


@pytest.mark.parametrize("refusal", [answer(429, SPENT_BODY), answer(401), answer(404), answer(503)])
async def test_a_refusal_is_not_counted_and_nothing_is_told(refusal: httpx.Response) -> None:
    ears = Ears()
    run = Run("dba-agent", listener=ears)
    await ask(Gateway(refusal), run=run)
    assert (run.usage.calls, run.usage.total, ears.heard) == (0, 0, [])


async def test_the_budget_of_a_refusal_is_the_wires() -> None:
    outcome = await ask(Gateway(answer(429, SPENT_BODY)))
    assert isinstance(outcome, BudgetExhausted)
    assert outcome.budget == BUDGET
