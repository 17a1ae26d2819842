"""An answer of 8 MB and readers that take it slowly, or not at all: the agent's memory stays small, and others are answered."""

import asyncio
import json
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import httpx
import pytest

from tests.integration.agents import wire
from tests.integration.agents.conftest import Agent, agent_beside
from tests.integration.agents.gateway import Gateway
from tests.waiting import until

pytestmark = pytest.mark.anyio

MB = 1024 * 1024
PIECES = 32
PIECE = "An index on the column. " * (8 * MB // PIECES // 24)
MOST_MEMORY = 450 * MB
"""At the peak. The process has 135 at rest; the end of the answer holds it in events, tasks, checkpoints and JSON at once."""


class Idle:
    """A client that sends its request and reads nothing of the answer."""

    def __init__(self, agent: Agent, body: dict[str, object]) -> None:
        host, _, port = agent.url.removeprefix("http://").partition(":")
        self.socket = socket.create_connection((host, int(port)))
        content = json.dumps(body).encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in wire.HEADERS.items())
        self.socket.sendall(
            f"POST / HTTP/1.1\r\nhost: agent\r\n{head}content-length: {len(content)}\r\n\r\n".encode() + content
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def read_to_the_end(self) -> bytes:
        """What is left of a chunked body, read a little at a time."""
        read = bytearray()
        while not read.endswith(b"0\r\n\r\n"):
            chunk = self.socket.recv(4096)
            assert chunk, "The agent has hung up."
            read += chunk
        return bytes(read)


async def test_eight_megabytes_for_a_reader_that_does_not_read(
    gateway: Gateway, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    gateway.serve("slow", "ok")
    async with agent_beside(tmp_path, LLM_URL=gateway.url, LOG_LEVEL="INFO") as agent, AsyncExitStack() as idle:
        async with wire.events(http, agent.url, wire.said("hi", "message/stream")) as stream:
            task_id = (await anext(stream))["id"]
            resubscribe = wire.request("tasks/resubscribe", id=task_id)
            late, _ = [idle.enter_context(Idle(agent, resubscribe)) for _ in range(2)]
            gateway.slow.say(PIECE)
            while wire.text_of((await anext(stream))["status"].get("message", {"parts": []})) != PIECE:
                pass
            for _ in range(PIECES - 1):
                gateway.slow.say(PIECE)
            other = await wire.call(http, agent.url, wire.said("And me?"))
            assert other["status"]["state"] == "completed"
            gateway.slow.finish()
            *_, artifact, last = [event async for event in stream]
        assert len(wire.text_of(artifact["artifact"])) == PIECES * len(PIECE)
        assert last["status"]["state"] == "completed"
        other = await wire.call(http, agent.url, wire.said("And me, after that?"))
        assert other["status"]["state"] == "completed"
        assert b'"state":"completed"' in (await asyncio.to_thread(late.read_to_the_end))[-4000:]
        assert agent.highest_memory < MOST_MEMORY


async def test_nobody_waits_for_the_one_client_that_does_not_read(
    gateway: Gateway, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    gateway.serve("slow", "ok")
    running = agent_beside(tmp_path, LLM_URL=gateway.url, LOG_LEVEL="INFO")
    async with running as agent, AsyncExitStack() as idle:
        idle.enter_context(Idle(agent, wire.said("hi", "message/stream")))
        await until(lambda: len(gateway.requests) == 1, "the call to the gateway")
        for _ in range(PIECES):
            gateway.slow.say(PIECE)
        gateway.slow.finish()
        listing = f"{agent.url}/tasks"

        async def has_ended() -> bool:
            listed = await http.get(listing, headers={"a2a-version": "1.0", "x-user-id": wire.USER})
            return [task["status"]["state"] for task in listed.json()["tasks"]] == ["TASK_STATE_COMPLETED"]

        await until(has_ended, "the task's end")

        assert agent.highest_memory < MOST_MEMORY
