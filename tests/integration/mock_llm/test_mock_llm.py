import asyncio
import json
import socket
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mock_llm.essays import ESSAYS
from tests.unit.mock_llm.told import counts

from .serving import a_process, serving

PATH = "/v1/chat/completions"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "one two three four"}]}
STREAM: dict[str, Any] = HELLO | {"stream": True, "stream_options": {"include_usage": True}}
CALLERS = [("dba", "alice"), ("dba", "bob"), ("support", "carol")]


@pytest.fixture
def url() -> Iterator[str]:
    with serving("mock_llm", MOCK_LLM_SEED="7", MOCK_LLM_MAX_BODY="4096") as (_, base):
        yield base


def stamped(team: str, user: str) -> dict[str, str]:
    return {"X-Team-ID": team, "X-User-Id": user}


def usage_of(response: httpx.Response) -> dict[str, Any]:
    document = response.text
    if response.headers["content-type"].startswith("text/event-stream"):
        document = document.split("\n\n")[-3].removeprefix("data: ")
    usage: dict[str, Any] = json.loads(document)["usage"]
    return usage


def a_run(order: list[tuple[str, str]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    said: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    with serving("mock_llm", MOCK_LLM_SEED="7") as (_, base), httpx.Client(base_url=base, trust_env=False) as http:
        for caller in order:
            said[caller].append(usage_of(http.post(PATH, json=HELLO, headers=stamped(*caller))))
    return said


def test_two_runs_with_one_seed_say_the_same_to_each_caller_in_whatever_order_they_call() -> None:
    order = CALLERS * 4
    assert a_run(order) == a_run(sorted(order))


@pytest.mark.anyio
async def test_the_ledger_is_what_fifty_concurrent_answers_said_to_the_token(url: str) -> None:
    said: dict[tuple[str, str], list[dict[str, int]]] = defaultdict(list)

    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:

        async def call(index: int) -> None:
            caller = CALLERS[index % len(CALLERS)]
            body = STREAM if index % 2 else HELLO
            said[caller].append(counts(usage_of(await http.post(PATH, json=body, headers=stamped(*caller)))))

        await asyncio.gather(*(call(index) for index in range(50)))
        rows = (await http.get("/ledger")).json()["callers"]

    assert rows == [
        {
            "team": team,
            "user": user,
            "requests": len(said[team, user]),
            "cached_tokens": 0,
            **{key: sum(usage[key] for usage in said[team, user]) for key in said[team, user][0]},
        }
        for team, user in CALLERS
    ]


def chunks_of(reply: bytes) -> list[bytes]:
    """The parts of a chunked body (RFC 9112, section 7.1), as the server wrote them."""
    chunks = []
    rest = reply.split(b"\r\n\r\n", 1)[1]
    while rest != b"0\r\n\r\n":
        size, rest = rest.split(b"\r\n", 1)
        chunks.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    return chunks


def test_a_stream_on_a_real_socket_is_one_event_a_chunk_with_usage_before_done(url: str) -> None:
    body = json.dumps(STREAM).encode()
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        head = f"POST {PATH} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\ncontent-type: application/json\r\n"
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        reply = connection.makefile("rb").read()
    *events, usage, done = chunks_of(reply)
    deltas = [json.loads(event.removeprefix(b"data: "))["choices"][0]["delta"] for event in events]
    assert deltas[0]["role"] == "assistant"
    assert "".join(delta.get("content", "") for delta in deltas) in ESSAYS
    assert len(deltas) > 10
    assert json.loads(usage.removeprefix(b"data: "))["usage"]["total_tokens"] >= 400
    assert done == b"data: [DONE]\n\n"


def test_a_body_over_the_limit_is_refused_and_the_connection_goes_on(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False) as http:
        large = HELLO | {"metadata": {"padding": "x" * 5000}}
        assert http.post(PATH, json=large).status_code == 413
        assert http.post(PATH, json=HELLO).status_code == 200


def test_a_wrong_setting_stops_the_start_with_one_sentence() -> None:
    with a_process("mock_llm", MOCK_LLM_SEED="seven") as process:
        assert process.wait(30) == 1
        assert process.stderr is not None
        (sentence,) = process.stderr.read().splitlines()
        assert sentence.startswith("MOCK_LLM_SEED is wrong: ")
