"""Clients of other people: each sends, streams, gets, cancels and resubscribes, in a process of its own."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.agents.conftest import ROOT, Agent
from tests.integration.agents.gateway import Gateway
from tests.waiting import until

pytestmark = pytest.mark.anyio

INSTALLED = ROOT / ".venv" / "clients"
CLIENTS = ROOT / "tests" / "clients"
COMMANDS = {
    "python 1.x": [sys.executable, "-m", "tests.clients.a2a_1"],
    "python 0.3": [str(INSTALLED / "a2a-0.3" / "bin" / "python"), str(CLIENTS / "a2a_0_3.py")],
    "javascript": [str(ROOT / ".venv" / "bin" / "node"), str(CLIENTS / "a2a_js.cjs")],
}
BINDINGS = ["JSONRPC", "HTTP+JSON"]

PATIENCE = 30
"""Seconds for one line of a client's."""


class Client:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def do(self, action: str, **more: str) -> list[dict[str, Any]]:
        return [result async for result in self.doing(action, **more)]

    async def one(self, action: str, **more: str) -> dict[str, Any]:
        (result,) = await self.do(action, **more)
        return result

    async def doing(self, action: str, **more: str) -> AsyncIterator[dict[str, Any]]:
        """What comes of it, as it comes."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": action, "id": str(uuid4()), **more}).encode() + b"\n")
        while not (result := await self._read()).get("over"):
            yield result

    async def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE)
        assert line, "The client has ended."
        result: dict[str, Any] = json.loads(line)
        return result


@asynccontextmanager
async def running(command: list[str], agent: Agent, binding: str) -> AsyncIterator[Client]:
    process = await asyncio.create_subprocess_exec(
        *command,
        agent.url,
        binding,
        cwd=ROOT,
        env={**os.environ, "NODE_PATH": str(INSTALLED / "a2a-js" / "node_modules")},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Client(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.wait_for(process.wait(), PATIENCE)


@pytest.fixture(scope="module", params=COMMANDS)
async def command(request: pytest.FixtureRequest) -> list[str]:
    found: list[str] = COMMANDS[request.param]
    return found


@pytest.fixture(scope="module", params=BINDINGS)
async def client(request: pytest.FixtureRequest, command: list[str], agent: Agent) -> AsyncIterator[Client]:
    async with running(command, agent, request.param) as client:
        yield client


async def test_it_sends_and_reads_the_answer(client: Client, gateway: Gateway) -> None:
    task = await client.one("send", text="Why is it slow?")
    assert (task["state"], task["artifacts"]) == ("completed", ["Use an index."])
    again = await client.one("send", text="And now?", context=task["context"])
    assert again["context"] == task["context"]
    assert [message["content"] for message in gateway.requests[1]["body"]["messages"][1:]] == [
        "Why is it slow?",
        "Use an index.",
        "And now?",
    ]


async def test_it_streams_the_words_as_they_come(client: Client, gateway: Gateway) -> None:
    gateway.serve("slow")
    events = client.doing("stream", text="hi")
    assert (await anext(events))["event"] == "task"
    assert await anext(events) == {"event": "status", "state": "working", "text": ""}
    for words in ("Use ", "an index."):
        gateway.slow.say(words)
        assert await anext(events) == {"event": "status", "state": "working", "text": words}
    gateway.slow.finish()
    assert [event async for event in events] == [
        {"event": "status", "state": "working", "text": "Use an index."},
        {"event": "artifact", "text": "Use an index."},
        {"event": "status", "state": "completed", "text": ""},
    ]


async def test_it_reads_a_spent_budget(client: Client, gateway: Gateway) -> None:
    gateway.serve("budget")
    task = await client.one("send", text="hi")
    assert task["state"] == "failed"
    assert task["text"].startswith("Sorry — your team's LLM token budget is exhausted.")
    *_, last = await client.do("stream", text="hi")
    assert (last["state"], last["text"]) == ("failed", task["text"])
    assert len(gateway.requests) == 2


async def test_it_gets_a_task_while_it_works_and_after(client: Client, gateway: Gateway) -> None:
    gateway.serve("slow")
    task = await client.one("begin", text="hi")
    assert (await client.one("get", task=task["task"]))["state"] in ("submitted", "working")
    gateway.slow.say("Use an index.")
    gateway.slow.finish()

    async def has_ended() -> bool:
        return bool((await client.one("get", task=task["task"]))["state"] == "completed")

    await until(has_ended, "the task's end")
    assert (await client.one("get", task=task["task"]))["artifacts"] == ["Use an index."]
    assert "error" in await client.one("get", task="nobodys")


async def test_it_cancels_and_the_gateway_is_hung_up_on(client: Client, gateway: Gateway) -> None:
    gateway.serve("slow")
    task = await client.one("begin", text="hi")
    await until(lambda: len(gateway.requests) == 1, "the call to the gateway")
    gateway.slow.say("Use")
    assert (await client.one("cancel", task=task["task"]))["state"] == "canceled"
    await until(gateway.left.is_set, "the end of the call")
    assert (await client.one("get", task=task["task"]))["state"] == "canceled"
    assert len(gateway.requests) == 1


async def test_it_resubscribes_and_sees_the_end(client: Client, gateway: Gateway) -> None:
    gateway.serve("slow")
    task = await client.one("begin", text="hi")
    await until(lambda: len(gateway.requests) == 1, "the call to the gateway")
    events = client.doing("resubscribe", task=task["task"])
    first = await anext(events)
    assert (first["event"], first["task"]) == ("task", task["task"])
    gateway.slow.say("Use an index.")
    gateway.slow.finish()
    *_, artifact, last = [event async for event in events]
    assert artifact == {"event": "artifact", "text": "Use an index."}
    assert last == {"event": "status", "state": "completed", "text": ""}
