import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mock_llm.app import create_app
from mock_llm.config import Settings
from mock_llm.essays import ESSAYS

from .told import counts

pytestmark = pytest.mark.anyio

URL = "/v1/chat/completions"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "one two three four"}]}
STREAM: dict[str, Any] = HELLO | {"stream": True, "stream_options": {"include_usage": True}}
ALICE = {"X-Team-ID": "dba", "X-User-Id": "alice"}
ALICES = {"team": "dba", "user": "alice"}


def client(seed: int | None = 7, max_body: int = 1 << 20) -> httpx.AsyncClient:
    app = create_app(Settings(seed=seed, max_body=max_body))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mock")


async def callers(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await http.get("/ledger")).json()["callers"]
    return rows


def chunks_of(response: httpx.Response) -> list[Any]:
    events = response.text.split("\n\n")
    assert events.pop() == ""
    assert events.pop() == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events]


async def test_a_json_answer_reports_its_usage_and_the_ledger_agrees() -> None:
    async with client() as http:
        answer = (await http.post(URL, json=HELLO, headers=ALICE)).json()
        usage = answer["usage"]
        assert answer["choices"][0]["message"]["content"] in ESSAYS
        assert usage["prompt_tokens"] == 5
        assert 400 <= usage["completion_tokens"] <= 1500
        assert usage["total_tokens"] == 5 + usage["completion_tokens"]
        assert await callers(http) == [ALICES | {"requests": 1, **counts(usage)}]


async def test_a_streamed_answer_reports_its_usage_last_and_the_ledger_agrees() -> None:
    async with client() as http:
        response = await http.post(URL, json=STREAM, headers=ALICE)
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        *chunks, last = chunks_of(response)
        assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) in ESSAYS
        assert last["choices"] == []
        assert await callers(http) == [ALICES | {"requests": 1, **counts(last["usage"])}]


async def test_a_stream_that_reports_no_usage_is_not_in_the_ledger() -> None:
    async with client() as http:
        chunks = chunks_of(await http.post(URL, json=HELLO | {"stream": True}, headers=ALICE))
        assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
        assert not any("usage" in chunk for chunk in chunks)
        assert await callers(http) == []


@pytest.mark.parametrize("body", [HELLO, STREAM])
async def test_the_answers_model_is_the_requests(body: dict[str, Any]) -> None:
    async with client() as http:
        assert '"model":"gpt-4o"' in (await http.post(URL, json=body | {"model": "gpt-4o"})).text
        assert '"model":"mock-essay-7b"' in (await http.post(URL, json=body)).text


async def test_the_nth_answer_is_the_same_in_json_and_in_a_stream() -> None:
    async with client() as http:
        document = (await http.post(URL, json=HELLO, headers=ALICE)).json()
    async with client() as http:
        *chunks, last = chunks_of(await http.post(URL, json=STREAM, headers=ALICE))
    content = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert content == document["choices"][0]["message"]["content"]
    assert (last["id"], last["usage"]) == (document["id"], document["usage"])


async def test_a_caller_without_headers_is_a_dash() -> None:
    async with client() as http:
        await http.post(URL, json=HELLO)
        (row,) = (await http.get("/ledger")).json()["callers"]
        assert (row["team"], row["user"]) == ("-", "-")


async def test_a_refused_request_gets_openais_error_body_and_leaves_the_ledger_and_the_seed_alone() -> None:
    async with client() as http:
        response = await http.post(URL, json=HELLO | {"stream": 1}, headers=ALICE)
        assert response.status_code == 400
        assert response.json() == {
            "error": {
                "message": "Invalid type for 'stream': expected a boolean, but got an integer instead.",
                "type": "invalid_request_error",
                "param": "stream",
                "code": "invalid_type",
            }
        }
        assert await callers(http) == []
        after = (await http.post(URL, json=HELLO, headers=ALICE)).json()
    async with client() as http:
        assert (await http.post(URL, json=HELLO, headers=ALICE)).json()["usage"] == after["usage"]


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 10):
        yield body[start : start + 10]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_may_fill_the_limit_and_no_more(chunked: bool) -> None:
    body = json.dumps(HELLO).encode()
    for limit, status in [(len(body), 200), (len(body) - 1, 413)]:
        async with client(max_body=limit) as http:
            content = in_pieces(body) if chunked else body
            response = await http.post(URL, content=content, headers={"content-type": "application/json"})
            assert response.status_code == status
            if status == 413:
                assert response.json()["error"]["code"] == "request_too_large"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
    ],
)
async def test_a_body_that_is_not_declared_as_json_is_refused(content_type: str, status: int) -> None:
    async with client() as http:
        response = await http.post(URL, content=json.dumps(HELLO), headers={"content-type": content_type})
        assert response.status_code == status


async def test_a_body_that_declares_nothing_is_read_as_json() -> None:
    async with client() as http:
        assert (await http.post(URL, content=json.dumps(HELLO))).status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", URL, 405), ("POST", "/v1/nothing", 404)])
async def test_a_wrong_url_or_method_gets_openais_error_body(method: str, path: str, status: int) -> None:
    async with client() as http:
        response = await http.request(method, path)
        assert response.status_code == status
        assert response.json()["error"]["type"] == "invalid_request_error"


ASKS: dict[str, Any] = HELLO | {
    "messages": [{"role": "user", "content": "ask support-agent"}],
    "tools": [{"type": "function", "function": {"name": "kagent__NS__support_agent"}}],
}


@pytest.mark.parametrize(
    ("asked", "completion_tokens", "finish_reason"),
    [(ASKS, 20, "tool_calls"), (ASKS | {"max_tokens": 5}, 5, "length"), (HELLO | {"max_completion_tokens": 9}, 9, "length")],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_usage_of_calls_and_of_what_was_cut_is_the_ledgers(
    asked: dict[str, Any], completion_tokens: int, finish_reason: str, stream: bool
) -> None:
    async with client() as http:
        if stream:
            options = {"stream": True, "stream_options": {"include_usage": True}}
            *_, end, last = chunks_of(await http.post(URL, json=asked | options, headers=ALICE))
        else:
            end = last = (await http.post(URL, json=asked, headers=ALICE)).json()
        assert last["usage"]["completion_tokens"] == completion_tokens
        assert end["choices"][0]["finish_reason"] == finish_reason
        assert await callers(http) == [ALICES | {"requests": 1, **counts(last["usage"])}]


async def test_a_request_refused_for_its_fault_header_leaves_the_seed_alone() -> None:
    async with client() as http:
        assert (await http.post(URL, json=HELLO, headers=ALICE | {"x-mock-fault": "nope"})).status_code == 400
        after = (await http.post(URL, json=HELLO, headers=ALICE)).json()
    async with client() as http:
        assert (await http.post(URL, json=HELLO, headers=ALICE)).json()["id"] == after["id"]


async def test_a_fault_that_needs_a_connection_says_so_where_there_is_none() -> None:
    async with client() as http:
        for fault in ("reset", "cut"):
            with pytest.raises(ConnectionError, match="needs uvicorn"):
                await http.post(URL, json=HELLO, headers={"x-mock-fault": fault})


async def test_of_a_header_that_is_sent_twice_the_first_counts() -> None:
    async with client() as http:
        await http.post(URL, json=HELLO, headers=[("X-Team-ID", "dba"), ("X-Team-ID", "support")])
        (row,) = await callers(http)
        assert row["team"] == "dba"


async def test_of_a_body_over_the_limit_no_more_is_read() -> None:
    taken = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield b"x" * 10

    async with client(max_body=95) as http:
        response = await http.post(URL, content=parts(), headers={"content-type": "application/json"})
    assert (response.status_code, taken) == (413, 10)
