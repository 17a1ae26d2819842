"""The events of kagent's UI, one by one, as its controller asks for them."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from agents.extension import URI
from tests.integration.agents import wire
from tests.integration.agents.conftest import Agent
from tests.integration.agents.gateway import Gateway, calls, said, used
from tests.integration.agents.kagent.ui import Screen
from tests.unit.agents.doubles import BUDGET

pytestmark = pytest.mark.anyio

OF_ONE_CALL = {"promptTokenCount": 13, "candidatesTokenCount": 700, "totalTokenCount": 713}


async def seen(http: httpx.AsyncClient, agent: Agent, text: str = "hi") -> tuple[list[dict[str, Any]], Screen]:
    context = str(uuid4())
    events = await wire.all_events(http, agent.url, wire.said(text, "message/stream", context))
    screen = Screen()
    for event in events:
        assert event["contextId"] == context
        screen.see(event)
    check_form(events, text)
    return events, screen


def check_form(events: list[dict[str, Any]], text: str) -> None:
    """What holds for each stream: a task first, then updates of it, and only the last one is final."""
    task, started, *updates = events
    assert (task["kind"], task["status"]["state"]) == ("task", "submitted")
    assert [(message["role"], wire.text_of(message)) for message in task["history"]] == [("user", text)]
    assert (started["kind"], started["status"]["state"]) == ("status-update", "working")
    assert "message" not in started["status"]
    for update in [started, *updates]:
        assert update["taskId"] == task["id"]
    assert [event["final"] for event in events if event["kind"] == "status-update"][:-1] == [False] * (
        sum(event["kind"] == "status-update" for event in events) - 1
    )
    assert (updates[-1]["kind"], updates[-1]["final"]) == ("status-update", True)
    for event in events:
        if event["kind"] != "artifact-update":
            assert datetime.fromisoformat(event["status"]["timestamp"]).utcoffset() is not None


async def test_a_streamed_answer_is_written_live_and_then_shown_whole(
    agent: Agent, gateway: Gateway, http: httpx.AsyncClient
) -> None:
    gateway.serve("slow")
    screen = Screen()
    partial, whole = [], []
    async with wire.events(http, agent.url, wire.said("hi", "message/stream", str(uuid4()))) as stream:
        for _ in range(2):
            screen.see(await anext(stream))
        for words, bubble in (("Use ", "Use "), ("an index.", "Use an index.")):
            gateway.slow.say(words)
            partial.append(await anext(stream))
            screen.see(partial[-1])
            assert screen.bubble == bubble
        gateway.slow.finish()
        async for event in stream:
            whole.append(event)
            screen.see(event)

    for event in partial:
        assert event["status"]["state"] == "working"
        assert event["status"]["message"]["role"] == "agent"
        assert event["status"]["message"]["metadata"] == {"kagent_adk_partial": True}
        assert "metadata" not in event
    everything, artifact, completed = whole
    assert wire.text_of(everything["status"]["message"]) == "Use an index."
    assert everything["status"]["message"]["metadata"] == {"kagent_usage_metadata": OF_ONE_CALL}
    assert everything["metadata"] == {"kagent_usage_metadata": OF_ONE_CALL}
    assert (artifact["lastChunk"], artifact["append"]) == (True, False)
    assert artifact["artifact"]["parts"] == [{"kind": "text", "text": "Use an index."}]
    assert completed["status"]["state"] == "completed"
    assert "message" not in completed["status"]
    assert completed["metadata"]["kagent_usage_metadata"] == OF_ONE_CALL
    assert (screen.shown, screen.bubble, screen.tokens, screen.ready) == (["Use an index."], "", 713, True)


async def test_an_answer_at_once_needs_no_pieces(agent: Agent, gateway: Gateway, http: httpx.AsyncClient) -> None:
    events, screen = await seen(http, agent)
    assert [event["kind"] for event in events] == ["task", "status-update", "status-update", "artifact-update", "status-update"]
    assert (screen.shown, screen.tokens) == (["Use an index."], 713)
    usage = events[-1]["metadata"][URI]["usage"]
    assert usage["own"] == {"prompt": 13, "completion": 700, "total": 713, "calls": 1}


async def test_a_tool_call_is_shown_with_its_answer(agent: Agent, gateway: Gateway, http: httpx.AsyncClient) -> None:
    gateway.serve(
        calls("support", {"message": "Known?"}), said("It is known.", used(5, 10)), said("Use an index.", used(20, 30))
    )
    events, screen = await seen(http, agent)
    call, response, whole = events[2:5]
    (called,) = call["status"]["message"]["parts"]
    assert called["metadata"] == {"kagent_type": "function_call"}
    assert called["data"] == {"id": "call-1", "name": "support", "args": {"message": "Known?"}}
    assert call["metadata"] == call["status"]["message"]["metadata"] == {"kagent_usage_metadata": OF_ONE_CALL}
    (answered,) = response["status"]["message"]["parts"]
    assert answered["metadata"] == {"kagent_type": "function_response"}
    assert (answered["data"]["id"], answered["data"]["name"]) == ("call-1", "support")
    assert answered["data"]["response"]["result"] == "It is known."
    assert answered["data"]["response"]["kagent_usage_metadata"]["totalTokenCount"] == 15
    assert answered["data"]["response"]["subagent_session_id"]
    assert wire.text_of(whole["status"]["message"]) == "Use an index."
    assert [type(shown) for shown in screen.shown] == [dict, dict, str]
    assert screen.shown[-1] == "Use an index."
    # The other agent's are shown with its call.
    assert screen.tokens == 713 + 50
    assert events[-1]["metadata"][URI]["usage"]["total"] == 713 + 50 + 15


FAILURES: dict[str, tuple[str, list[object]]] = {
    "budget": ("Sorry — your team's LLM token budget is exhausted.", [{"budget": BUDGET}]),
    "broken": ("The LLM failed (HTTP 500)", []),
    "identity": ("The gateway refused this agent's identity (HTTP 401", []),
}


@pytest.mark.parametrize("answer", FAILURES)
async def test_a_failure_is_shown_at_the_end(agent: Agent, gateway: Gateway, http: httpx.AsyncClient, answer: str) -> None:
    gateway.serve(answer)
    text, data = FAILURES[answer]
    events, screen = await seen(http, agent)
    assert [event["kind"] for event in events] == ["task", "status-update", "status-update"]
    status = events[-1]["status"]
    assert status["state"] == "failed"
    assert [part["data"] for part in status["message"]["parts"] if part["kind"] == "data"] == data
    (shown,) = screen.shown
    assert str(shown).startswith(text)
    assert screen.tokens == 0


async def test_what_came_of_a_broken_answer_is_shown_and_then_why(
    agent: Agent, gateway: Gateway, http: httpx.AsyncClient
) -> None:
    gateway.serve("slow")
    screen = Screen()
    async with wire.events(http, agent.url, wire.said("hi", "message/stream", str(uuid4()))) as stream:
        for _ in range(2):
            screen.see(await anext(stream))
        gateway.slow.say("Use an")
        screen.see(await anext(stream))
        gateway.slow.cut()
        async for event in stream:
            screen.see(event)
    part, why = screen.shown
    assert part == "Use an"
    assert str(why).startswith("The LLM's answer broke off")
    assert screen.ready
    assert len(gateway.requests) == 1
