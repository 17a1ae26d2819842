"""The agent against the mock LLM itself, in each of its fault modes, with an answer that streams and with one that does not."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agents.extension import URI
from mock_llm.app import create_app
from mock_llm.config import Settings
from mock_llm.faults import Fault
from tests.integration.agents import wire
from tests.integration.agents.conftest import agent_beside, in_thread

pytestmark = pytest.mark.anyio

FAILURES = {
    Fault.RATE_LIMITED: (3, "The LLM's provider is busy (HTTP 429)"),
    Fault.SERVER_ERROR: (3, "The LLM failed (HTTP 500"),
    Fault.OVERLOADED: (3, "The LLM failed (HTTP 503"),
    # No third time: an attempt and a half take as long as the user is made to wait.
    Fault.TIMEOUT: (2, "The LLM could not be reached"),
    Fault.RESET: (3, "The LLM could not be reached"),
    Fault.CUT: (3, "The LLM could not be reached"),
    Fault.MALFORMED: (1, "The LLM's answer cannot be used"),
    Fault.EMPTY: (1, "The LLM's answer cannot be used"),
}
PASSING = [fault for fault, (requests, _) in FAILURES.items() if requests == 3]

WHOLE = [f"fault:{fault}" for fault in Fault]
ONCE = [f"fault:{fault}*1" for fault in PASSING]


class Receiving:
    """uvicorn's `receive`, with the connection behind it where the mock looks for it, and with what was read."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.transport = getattr(receive, "__self__").transport  # noqa: B009 - of a type that has none
        self.body = b""

    async def receive(self) -> Message:
        message = await self._receive()
        self.body += message.get("body", b"")
        return message


class Counted:
    """Counts the requests by what the user said last in them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.requests: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        receiving = Receiving(receive)
        try:
            await self._app(scope, receiving.receive, send)
        finally:
            self.requests[json.loads(receiving.body)["messages"][-1]["content"]] += 1


class Tried:
    """The task and the number of requests of each fault, all of them at once: some take seconds."""

    def __init__(self, tasks: dict[str, dict[str, Any]], requests: Counter[str]) -> None:
        self.tasks = tasks
        self.requests = requests


@pytest.fixture(scope="module", params=["true", "false"], ids=["streaming", "whole"])
async def tried(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tried]:
    counted = Counted(create_app(Settings(seed=1)))
    folder = tmp_path_factory.mktemp("agent")
    with in_thread(counted) as mock:
        url = f"{mock}/v1/chat/completions"
        async with (
            agent_beside(folder, LLM_URL=url, LLM_STREAM=request.param, LLM_TIMEOUT="2") as agent,
            httpx.AsyncClient(timeout=60, trust_env=False) as http,
        ):
            texts = WHOLE + ONCE
            tasks = await asyncio.gather(*(wire.call(http, agent.url, wire.said(text)) for text in texts))
            assert "Traceback" not in agent.log
    yield Tried(dict(zip(texts, tasks, strict=True)), counted.requests)


def test_every_fault_is_tried() -> None:
    assert {*FAILURES, Fault.NO_USAGE} == set(Fault)


@pytest.mark.parametrize("fault", FAILURES)
async def test_a_fault_that_stays_ends_the_task_with_a_sentence(tried: Tried, fault: Fault) -> None:
    requests, text = FAILURES[fault]
    task = tried.tasks[f"fault:{fault}"]
    assert task["status"]["state"] == "failed"
    assert wire.text_of(task["status"]["message"]).startswith(text)
    assert tried.requests[f"fault:{fault}"] == requests


@pytest.mark.parametrize("fault", PASSING)
async def test_a_fault_that_passes_is_not_seen(tried: Tried, fault: Fault) -> None:
    task = tried.tasks[f"fault:{fault}*1"]
    assert task["status"]["state"] == "completed"
    assert tried.requests[f"fault:{fault}*1"] == 2
    assert task["metadata"][URI]["usage"]["own"]["calls"] == 1


async def test_an_answer_without_usage_is_an_answer(tried: Tried) -> None:
    task = tried.tasks["fault:no_usage"]
    assert task["status"]["state"] == "completed"
    assert task["metadata"][URI]["usage"]["own"] == {"prompt": 0, "completion": 0, "total": 0, "calls": 1}
    assert tried.requests["fault:no_usage"] == 1
