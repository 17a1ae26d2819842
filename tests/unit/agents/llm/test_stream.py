import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as fuzz
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage

from agents.llm.retries import ATTEMPTS
from agents.outcomes import (
    Answered,
    BudgetExhausted,
    IdentityRefused,
    Meter,
    Outcome,
    RequestRefused,
    Throttled,
    ToolCall,
    ToolsCalled,
    UpstreamFailed,
)
from agents.progress import Delta, Said
from agents.run import Run
from tests.unit.agents.doubles import (
    BUDGET,
    DONE,
    SPENT_BODY,
    STOP,
    USAGE,
    USED,
    Ears,
    Gateway,
    Pieces,
    Reply,
    answer,
    chunk,
    completion,
    llm_through,
    streamed,
    token,
    within,
)

pytestmark = pytest.mark.anyio

CUT = httpx.RemoteProtocolError("peer closed connection")
WHOLE = (chunk("", role="assistant"), chunk("An "), chunk("essay."), STOP, USED, DONE)
BUSY = {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}


async def ask(gateway: Gateway, ears: Ears | None = None, run: Run | None = None) -> Outcome:
    async with llm_through(gateway) as llm:
        return await within(run or Run("dba-agent", listener=ears or Ears()), llm([HumanMessage("hi")]))


async def test_words_are_told_as_they_come_and_all_of_them_with_the_usage_at_the_end() -> None:
    ears = Ears()
    headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4287", "x-ratelimit-reset": "1200"}
    outcome = await ask(Gateway(streamed(*WHOLE, headers=headers)), ears)
    assert outcome == Answered("An essay.", USAGE, Meter(5000, 4287, 1200))
    assert ears.heard == [Delta("An "), Delta("essay."), Said("An essay.", USAGE)]
    assert ears.withdrawn == 0


async def test_the_usage_of_the_last_chunk_is_counted() -> None:
    run = Run("dba-agent")
    await ask(Gateway(streamed(*WHOLE)), run=run)
    assert (run.usage.own, run.usage.calls) == (USAGE, 1)


async def test_a_stream_without_usage_is_an_answer() -> None:
    assert await ask(Gateway(streamed(chunk("Hello."), STOP, DONE))) == Answered("Hello.", None, Meter())


async def test_tool_calls_come_in_pieces() -> None:
    first = {"index": 0, "id": "1", "function": {"name": "oracle", "arguments": '{"mes'}}
    second = {"index": 0, "function": {"arguments": 'sage": "hi"}'}}
    ears = Ears()
    events = (chunk(tool_calls=[first]), chunk(tool_calls=[second]), chunk(finish="tool_calls"), USED, DONE)
    outcome = await ask(Gateway(streamed(*events)), ears)
    assert outcome == ToolsCalled("", (ToolCall("1", "oracle", '{"message": "hi"}'),), USAGE, Meter())
    assert ears.heard == [Said("", USAGE)]


async def test_nothing_is_read_after_done() -> None:
    assert isinstance(await ask(Gateway(streamed(*WHOLE, b"data: no json\n\n"))), Answered)


@pytest.mark.parametrize("end", [CUT, None, httpx.ReadTimeout("silence")])
async def test_a_stream_cut_before_its_end_is_asked_again_while_nothing_was_read(end: Exception | None) -> None:
    ears = Ears()
    gateway = Gateway(streamed(chunk("An "), end=end), streamed(*WHOLE))
    assert isinstance(await ask(gateway, ears), Answered)
    assert len(gateway.requests) == 2
    assert ears.withdrawn == 1
    assert ears.heard[-1] == Said("An essay.", USAGE)


async def test_a_stream_that_is_always_cut_fails_after_a_bound() -> None:
    gateway = Gateway(streamed(chunk("An "), end=None))
    outcome = await ask(gateway)
    assert outcome == UpstreamFailed(200, reason="the stream broke off")
    assert len(gateway.requests) == ATTEMPTS


@pytest.mark.parametrize("end", [CUT, None])
async def test_a_stream_that_the_user_has_read_of_is_not_asked_again_and_what_was_read_is_kept(end: Exception | None) -> None:
    gateway = Gateway(streamed(chunk("An "), chunk("ess"), end=end), streamed(*WHOLE))
    outcome = await ask(gateway, Ears(has_read=True))
    assert isinstance(outcome, UpstreamFailed)
    assert outcome.partial == "An ess"
    assert outcome.reason == ("RemoteProtocolError" if end else "the stream broke off")
    assert len(gateway.requests) == 1


async def test_a_stream_cut_before_its_first_word_is_asked_again_whoever_listens() -> None:
    ears = Ears(has_read=True)
    gateway = Gateway(streamed(chunk("", role="assistant"), end=CUT), streamed(*WHOLE))
    assert isinstance(await ask(gateway, ears), Answered)
    assert ears.withdrawn == 0


@pytest.mark.parametrize(
    ("events", "usage"), [((STOP,), None), ((STOP, USED), USAGE), ((STOP, b"data: {"), None), ((STOP, USED, DONE), USAGE)]
)
@pytest.mark.parametrize("end", [CUT, None])
async def test_an_answer_is_whole_once_the_llm_has_said_why_it_stopped(
    events: tuple[object, ...], usage: object, end: Exception | None
) -> None:
    gateway = Gateway(streamed(chunk("An essay."), *events, end=end))
    assert await ask(gateway, Ears(has_read=True)) == Answered("An essay.", usage, Meter())  # type: ignore[arg-type]
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("before", [(), (chunk("An "),)])
@pytest.mark.parametrize("has_read", [True, False])
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (SPENT_BODY, BudgetExhausted),
        ({"error": {"code": 402, "message": "Insufficient credits"}}, BudgetExhausted),
        ({"error": {"code": 401, "message": "no"}}, IdentityRefused),
        ({"error": {"code": 400, "message": "too long"}}, RequestRefused),
    ],
)
async def test_a_refusal_in_the_middle_of_a_stream_is_one_and_is_asked_once(
    error: dict[str, Any], outcome: type, before: tuple[object, ...], has_read: bool
) -> None:
    gateway = Gateway(streamed(*before, error))
    said = await ask(gateway, Ears(has_read))
    assert isinstance(said, outcome)
    assert len(gateway.requests) == 1
    if error is SPENT_BODY and isinstance(said, BudgetExhausted):
        assert said.budget == BUDGET


@pytest.mark.parametrize(
    "error", [{"error": {"code": 429, "message": "busy"}}, {"error": {"code": 503}}, {"error": {"message": "overloaded"}}, BUSY]
)
async def test_a_failure_in_the_middle_of_a_stream_is_asked_again_unless_words_were_read(error: dict[str, Any]) -> None:
    gateway = Gateway(streamed(chunk("An "), error), streamed(*WHOLE))
    assert isinstance(await ask(gateway, Ears()), Answered)
    assert len(gateway.requests) == 2
    gateway = Gateway(streamed(chunk("An "), error), streamed(*WHOLE))
    outcome = await ask(gateway, Ears(has_read=True))
    assert isinstance(outcome, UpstreamFailed)
    assert outcome.partial == "An "
    assert len(gateway.requests) == 1


async def test_a_busy_provider_in_the_middle_of_a_stream_is_throttled() -> None:
    outcome = await ask(Gateway(streamed({"error": {"code": 429, "message": "busy"}})))
    assert outcome == Throttled(429, None)


async def test_a_token_that_an_error_event_echoes_is_not_quoted() -> None:
    error = {"error": {"code": 401, "message": f"Bearer {token(team='dba')} is not known"}}
    outcome = await ask(Gateway(streamed(error)))
    assert isinstance(outcome, IdentityRefused)
    assert token(team="dba") not in outcome.quote
    assert "[LLM_JWT]" in outcome.quote


async def test_one_document_in_answer_to_a_streamed_request_is_an_answer() -> None:
    ears = Ears()
    assert await ask(Gateway(answer(200, completion())), ears) == Answered("An essay.", USAGE, Meter())
    assert ears.heard == [Said("An essay.", USAGE)]


@pytest.mark.parametrize(
    "event", [b"data: no json\n\n", b"data: {\n\n", b"data: []\n\n", b"data: 7\n\n", b'data: {"a":NaN}\n\n']
)
async def test_an_event_that_is_no_json_object_is_of_no_use(event: bytes) -> None:
    gateway = Gateway(streamed(chunk("An "), event))
    assert await ask(gateway) == RequestRefused(200, "the stream holds what is no JSON object")
    assert len(gateway.requests) == 1


ORACLE = {"index": 0, "id": "1", "function": {"name": "oracle", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (chunk("An essay."), Answered("An essay.", None, Meter())),
        (chunk(tool_calls=[ORACLE]), ToolsCalled("", (ToolCall("1", "oracle", "{}"),), None, Meter())),
    ],
)
async def test_a_stream_that_says_that_it_is_done_is_whole_though_not_why_the_llm_stopped(
    said: dict[str, Any], outcome: Outcome
) -> None:
    gateway = Gateway(streamed(said, DONE))
    assert await ask(gateway, Ears(has_read=True)) == outcome
    assert len(gateway.requests) == 1


async def test_a_budget_spent_in_the_middle_of_a_stream_has_the_streams_status_and_meter() -> None:
    headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"}
    run = Run("dba-agent")
    outcome = await ask(Gateway(streamed(chunk("An "), SPENT_BODY, headers=headers)), run=run)
    assert isinstance(outcome, BudgetExhausted)
    assert (outcome.status, outcome.budget, outcome.meter) == (200, BUDGET, Meter(5000, 0, 60))
    assert run.meter == outcome.meter


async def test_a_stream_that_ends_without_words_is_of_no_use() -> None:
    gateway = Gateway(streamed(STOP, DONE))
    assert await ask(gateway) == RequestRefused(200, "")
    assert len(gateway.requests) == 1


class Endless(httpx.AsyncByteStream):
    def __init__(self, piece: bytes) -> None:
        self.piece = piece
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.sent += len(self.piece)
            yield self.piece


MIB = 1024 * 1024


@pytest.mark.parametrize("piece", [b"data: " + b"x" * MIB, b"data: " + json.dumps(chunk("x" * MIB)).encode() + b"\n\n"])
async def test_neither_a_line_nor_an_answer_without_end_is_kept(piece: bytes) -> None:
    endless = Endless(piece)
    gateway = Gateway(lambda: httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=endless))
    assert await ask(gateway) == RequestRefused(200, "the answer is larger than the agent takes")
    assert endless.sent <= 18 * MIB
    assert len(gateway.requests) == 1


class Trickle(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield b": still there\n"


async def test_a_stream_that_trickles_for_ever_ends() -> None:
    gateway = Gateway(lambda: httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Trickle()))
    async with llm_through(gateway, llm_timeout=0.01) as llm:
        outcome = await llm([HumanMessage("hi")])
    assert isinstance(outcome, UpstreamFailed)
    assert outcome.reason.startswith("no whole answer within 0.1 s")
    assert len(gateway.requests) == 1


@fuzz(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=10))
async def test_wherever_the_network_cuts_the_bytes_the_answer_is_the_same(places: list[int]) -> None:
    events = b"".join(
        event if isinstance(event, bytes) else b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\r\n\r\n"
        for event in (chunk("Grüße, "), chunk("日本 — "), chunk("🙂"), STOP, USED, DONE)
    )
    cuts = sorted(min(place, len(events)) for place in places)
    pieces = [events[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    reply: Reply = httpx.Response(200, headers={"content-type": "text/event-stream; charset=utf-8"}, stream=Pieces(*pieces))
    assert await ask(Gateway(reply)) == Answered("Grüße, 日本 — 🙂", USAGE, Meter())
