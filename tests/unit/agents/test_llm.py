import asyncio
import json

import httpx
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from agents.llm import ATTEMPTS, LONGEST_WAIT, GatewayLLM
from agents.outcomes import (
    Answered,
    BudgetExhausted,
    IdentityRefused,
    Outcome,
    RequestRefused,
    Throttled,
    UpstreamFailed,
)
from tests.unit.agents.doubles import SPENT_BODY, Gateway, Naps, answer, completion, llm_through, settings, token

pytestmark = pytest.mark.anyio

BUSY = {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}


async def ask(gateway: Gateway, naps: Naps | None = None) -> Outcome:
    llm = llm_through(gateway, naps)
    try:
        return await llm([HumanMessage("hi")])
    finally:
        await llm.aclose()


async def test_the_request_is_openais_with_the_teams_token() -> None:
    gateway = Gateway(answer(200, completion()))
    llm = llm_through(gateway)
    await llm([SystemMessage("Be brief."), HumanMessage("q1"), AIMessage("a1"), HumanMessage("q2")])
    await llm.aclose()
    (request,) = gateway.requests
    assert str(request.url) == "http://127.0.0.1:8090/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {token(team='dba')}"
    assert json.loads(request.content) == {
        "model": "mock-essay-7b",
        "stream": False,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "q1"},
            {"role": "assistant", "content": "a1"},
            {"role": "user", "content": "q2"},
        ],
    }


@pytest.mark.parametrize(
    ("refusal", "outcome"),
    [
        (answer(429, SPENT_BODY, {"retry-after": "1"}), BudgetExhausted),
        (httpx.Response(429, text="rate limit exceeded"), BudgetExhausted),
        (answer(402, {"error": {"code": "insufficient_credits"}}), BudgetExhausted),
        (httpx.Response(401, text="Jwt is expired"), IdentityRefused),
        (httpx.Response(403, text="RBAC: access denied"), IdentityRefused),
        (answer(400, {"error": {"message": "bad"}}), RequestRefused),
        (answer(404), RequestRefused),
        (answer(413), RequestRefused),
        (httpx.Response(200, text="{"), RequestRefused),
        (answer(200, completion()), Answered),
    ],
)
async def test_what_would_not_change_is_asked_exactly_once(refusal: httpx.Response, outcome: type) -> None:
    gateway, naps = Gateway(refusal), Naps()
    assert isinstance(await ask(gateway, naps), outcome)
    assert len(gateway.requests) == 1
    assert naps.seconds == []


@pytest.mark.parametrize(
    ("passing", "outcome"),
    [
        (answer(429, BUSY), Throttled),
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

    llm = GatewayLLM(settings(llm_timeout=0.02), transport=httpx.MockTransport(slow), sleep=Naps())
    outcome = await llm([HumanMessage("hi")])
    await llm.aclose()
    assert outcome == UpstreamFailed(None, reason="no answer within 0.02 s")
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

    llm = GatewayLLM(settings(), transport=httpx.MockTransport(endless), sleep=Naps())
    call = asyncio.ensure_future(llm([HumanMessage("hi")]))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ended.is_set()
    await llm.aclose()


async def test_a_token_that_an_error_echoes_is_not_quoted() -> None:
    outcome = await ask(Gateway(httpx.Response(401, text=f"Bearer {token(team='dba')} is not known")))
    assert outcome == IdentityRefused(401, "Bearer [LLM_JWT] is not known")


async def test_the_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await ask(Gateway(httpx.Response(500, text=token(team="dba"))))
    assert "trying again" in caplog.text
    assert token(team="dba") not in caplog.text
