"""A real agent process against those who mean it harm, or only make every mistake there is."""

import asyncio
import json
import re
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents.server.body_limit import MOST_BYTES
from tests.integration.agents.conftest import Agent, agent_beside, running_agent
from tests.integration.agents.gateway import Gateway
from tests.waiting import until

pytestmark = pytest.mark.anyio

V1 = {"a2a-version": "1.0"}
MB = 1024 * 1024

STREAMS = 1000
KEPT = 60 * MB
"""What the process may keep of a thousand streams at most: memory is not given back to the last byte."""


@pytest.fixture(scope="module")
def hostile_agent(serving: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with running_agent(tmp_path_factory.mktemp("hostile"), LLM_URL=serving.url, LOG_LEVEL="INFO") as agent:
        yield agent


@pytest.fixture
async def http(hostile_agent: Agent) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=hostile_agent.url, timeout=60, limits=limits, trust_env=False) as client:
        yield client


def said(text: str, method: str = "message/send", **more: object) -> dict[str, Any]:
    message = {"kind": "message", "messageId": "m", "role": "user", "parts": [{"kind": "text", "text": text}], **more}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"message": message}}


async def still_answers(http: httpx.AsyncClient) -> None:
    result = (await http.post("/", json=said("hi"))).json()["result"]
    assert result["status"]["state"] == "completed"


BODIES = {
    "nested lists": b"[" * 100_000,
    "nested objects": b'{"a":' * 100_000,
    "nested in a request": json.dumps(said("hi", metadata={"a": 0}))
    .replace('"a": 0', f'"a": {"[" * 5000}{"]" * 5000}')
    .encode(),
    "no UTF-8": b'{"jsonrpc": "2.0", "id": "\xff"}',
    "NUL": json.dumps(said("a\0b")).encode(),
    "half a surrogate pair": json.dumps(said("\ud800")).encode(),
    "half a surrogate pair as id": json.dumps({**said("hi"), "id": "\ud800"}).encode(),
    "no number": json.dumps(said("hi", metadata={"a": float("nan")})).encode(),
    "a number without end": b'{"jsonrpc": "2.0", "id": ' + b"9" * 500_000 + b"}",
    "nothing": b"",
    "half": b'{"jsonrpc"',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_what_is_no_usable_json_is_a_parse_error_and_no_traceback(
    hostile_agent: Agent, gateway: Gateway, http: httpx.AsyncClient, body: bytes
) -> None:
    for version in (V1, {}):
        response = await http.post("/", content=body, headers=version)
        assert response.status_code == 200
        answer = response.json()
        assert (answer["id"], answer["error"]["code"]) == (None, -32700)
    if body:
        for path in ("/message:send", "/message:stream", "/v1/message:send", "/v1/message:stream"):
            response = await http.post(path, content=body)
            assert response.status_code == 400
            assert response.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert "Traceback" not in hostile_agent.log
    assert gateway.requests == []
    await still_answers(http)


@pytest.mark.parametrize("path", ["/", "/message:send", "/v1/message:stream"])
async def test_ten_megabytes_are_refused(gateway: Gateway, http: httpx.AsyncClient, path: str) -> None:
    response = await http.post(path, json=said("x" * 10 * MB))
    assert response.status_code == 413
    assert response.json()["error"]["message"] == f"The request's body is larger than {MOST_BYTES} bytes."
    assert gateway.requests == []
    await still_answers(http)


async def test_a_megabyte_of_headers_is_refused(gateway: Gateway, http: httpx.AsyncClient) -> None:
    response = await http.post("/", json=said("hi"), headers={"x-user-id": "x" * MB})
    assert response.status_code == 431
    assert gateway.requests == []
    await still_answers(http)


@pytest.mark.parametrize("name", ["contextId", "taskId", "messageId"])
async def test_a_huge_id_is_refused_and_not_repeated(gateway: Gateway, http: httpx.AsyncClient, name: str) -> None:
    for method in ("message/send", "message/stream"):
        response = await http.post("/", json=said("hi", method, **{name: "x" * 500_000}))
        assert '"code":-32602' in response.text
        assert len(response.content) < 1000
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([said("hi")], -32600),
        ("hi", -32600),
        (said("hi", "message/delete"), -32601),
        ({**said("hi"), "method": 5}, -32600),
        ({**said("hi"), "params": {"message": 5}}, -32602),
        (said("hi", parts=[{"kind": "video", "video": "x"}]), -32602),
        (said("hi", parts=[{"kind": "file", "file": {"uri": "file:///etc/passwd"}}]), -32005),
        (said("hi", taskId="of-nobody"), -32001),
    ],
)
async def test_wrong_requests_are_told_so(
    hostile_agent: Agent, gateway: Gateway, http: httpx.AsyncClient, body: object, code: int
) -> None:
    answer = (await http.post("/", json=body)).json()
    assert answer["error"]["code"] == code
    assert "Traceback" not in hostile_agent.log
    assert gateway.requests == []


async def test_the_context_of_another_user_is_closed(gateway: Gateway, http: httpx.AsyncClient) -> None:
    task = (await http.post("/", json=said("my secret"), headers={"x-user-id": "alice"})).json()["result"]
    asked = len(gateway.requests)
    bob = {"x-user-id": "bob"}
    for method in ("tasks/get", "tasks/cancel", "tasks/resubscribe"):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"id": task["id"]}}
        response = await http.post("/", json=body, headers=bob)
        assert '"code":-32001' in response.text
    for more in ({"taskId": task["id"]}, {"contextId": task["contextId"]}):
        response = await http.post("/", json=said("what did alice say?", **more), headers=bob)
        assert "error" in response.json()
        assert "secret" not in response.text
    assert len(gateway.requests) == asked


class HoldingGateway:
    """Takes any number of calls, and answers all of them once it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.let_go = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: ([0-9]+)", head.lower())
        await reader.readexactly(int(length[1]) if length else 0)
        self.calls += 1
        await self.let_go.wait()
        content = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Use an index."}}]}'
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
            % len(content)
        )
        writer.write(content)
        writer.close()


@pytest.mark.timeout(300)
async def test_a_thousand_idle_streams_leave_nothing_behind(tmp_path: Path) -> None:
    _allow_files()
    gateway = HoldingGateway()
    async with await asyncio.start_server(gateway, "127.0.0.1", 0, backlog=STREAMS) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1/chat/completions"
        async with agent_beside(tmp_path, LLM_URL=url, LOG_LEVEL="INFO") as agent:
            # The first round pays for what is bought once: code, pools, and the allocator's high water.
            await _idle_streams(agent, gateway, STREAMS)
            memory, files = _memory(agent), _files(agent)
            await _idle_streams(agent, gateway, STREAMS // 4)
            await until(lambda: _files(agent) <= files, "the end of the connections")
            assert _memory(agent) - memory < KEPT
            assert "Traceback" not in agent.log


async def _idle_streams(agent: Agent, gateway: HoldingGateway, count: int) -> None:
    gateway.calls = 0
    gateway.let_go.clear()
    async with httpx.AsyncClient(base_url=agent.url, timeout=60, trust_env=False) as http:
        streams = [await _open_stream(agent) for _ in range(count)]
        await until(lambda: gateway.calls == count, "all calls to the gateway", 60)
        assert (await http.get("/health")).status_code == 200
        assert await _at_work(http)
        for stream in streams:
            stream.close()
        # Whoever hangs up has not cancelled: the tasks run on, and end.
        gateway.let_go.set()

        async def none_at_work() -> bool:
            return not await _at_work(http)

        await until(none_at_work, "the end of all tasks", 60)
        await still_answers(http)


async def _open_stream(agent: Agent) -> asyncio.StreamWriter:
    """After its first event. A client's pool of a thousand connections would be slower than what is tested."""
    reader, writer = await asyncio.open_connection(*_address(agent))
    content = json.dumps(said("hi", "message/stream")).encode()
    writer.write(b"POST / HTTP/1.1\r\nhost: agent\r\ncontent-length: %d\r\n\r\n" % len(content) + content)
    await reader.readuntil(b"\ndata: ")
    return writer


def _address(agent: Agent) -> tuple[str, int]:
    host, _, port = agent.url.removeprefix("http://").partition(":")
    return host, int(port)


async def _at_work(http: httpx.AsyncClient) -> list[Any]:
    response = await http.get("/tasks", params={"status": "TASK_STATE_WORKING"}, headers=V1)
    tasks: list[Any] = response.json()["tasks"]
    return tasks


def _memory(agent: Agent) -> int:
    """Bytes that are resident."""
    pages = Path(f"/proc/{agent.process.pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def _files(agent: Agent) -> int:
    """What it holds open, connections included."""
    return len(list(Path(f"/proc/{agent.process.pid}/fd").iterdir()))


def _allow_files() -> None:
    """This process holds an end of each stream to the agent, and of each call to the gateway; the agent, the other ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8 * STREAMS)), hard))


async def test_a_client_that_never_ends_its_request_holds_up_nobody(
    hostile_agent: Agent, gateway: Gateway, http: httpx.AsyncClient
) -> None:
    with socket.create_connection(_address(hostile_agent)) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nhost: agent\r\ncontent-length: 1000\r\n\r\n{")
        await still_answers(http)
