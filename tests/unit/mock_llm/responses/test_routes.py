import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from mock_llm.app import create_app
from mock_llm.config import Settings
from mock_llm.essays import ESSAYS
from mock_llm.strict_json import read_json

pytestmark = pytest.mark.anyio

URL = "/v1/responses"
ALICE = {"X-Team-ID": "dba", "X-User-Id": "alice"}
BOB = {"X-Team-ID": "dba", "X-User-Id": "bob"}
HELLO: dict[str, Any] = {"input": "one two three four"}
TOOL = {"type": "function", "name": "search", "parameters": {"type": "object", "properties": {"query": {"type": "string"}}}}
FORMS = pytest.mark.parametrize("stream", [False, True])


def client(**settings: Any) -> httpx.AsyncClient:
    app = create_app(Settings(seed=7, **settings))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mock", headers=ALICE)


def document_of(response: httpx.Response) -> Any:
    """Of a stream, the one in its last event."""
    if response.headers["content-type"] == "application/json":
        return response.json()
    return events_of(response)[-1]["response"]


def events_of(response: httpx.Response) -> list[Any]:
    *events, rest = response.text.split("\n\n")
    assert rest == ""
    return [json.loads(event.partition("\ndata: ")[2]) for event in events]


async def ask(http: httpx.AsyncClient, asked: dict[str, Any] | None = None, **headers: str) -> Any:
    response = await http.post(URL, json=asked or HELLO, headers=headers)
    assert response.status_code == 200
    return document_of(response)


async def outcomes(http: httpx.AsyncClient) -> list[tuple[Any, ...]]:
    told = (await http.get("/ledger/entries")).json()["entries"]
    return [(entry["endpoint"], entry["outcome"], entry["code"], entry["prompt_tokens"]) for entry in told]


@FORMS
async def test_an_answer_is_an_essay_with_its_usage_and_the_ledger_agrees(stream: bool) -> None:
    async with client() as http:
        response = await http.post(URL, json=HELLO | {"stream": stream, "model": "gpt-4o"})
        assert response.headers["content-type"].startswith("text/event-stream" if stream else "application/json")
        told = document_of(response)
        assert told["output"][0]["content"][0]["text"] in ESSAYS
        assert (told["status"], told["model"], told["usage"]["input_tokens"]) == ("completed", "gpt-4o", 5)
        (row,) = (await http.get("/ledger")).json()["callers"]
        assert (row["user"], row["requests"]) == ("alice", 1)
        assert row["completion_tokens"] == told["usage"]["output_tokens"]
        assert row["total_tokens"] == told["usage"]["total_tokens"]
        assert await outcomes(http) == [(URL, "answered", None, 5)]


async def test_it_says_what_chat_completions_say() -> None:
    async with client() as http:
        chat = (await http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "hello"}]})).json()
        await http.delete("/ledger")
        told = await ask(http, {"input": "hello"})
        assert told["output"][0]["content"][0]["text"] == chat["choices"][0]["message"]["content"]
        assert told["usage"]["output_tokens"] == chat["usage"]["completion_tokens"]


async def test_a_stream_and_a_document_say_the_same() -> None:
    async with client() as http:
        whole = await ask(http)
        await http.delete("/ledger")
        streamed = await ask(http, HELLO | {"stream": True})
        timeless = {"created_at": 0, "completed_at": 0}
        assert streamed | timeless == whole | timeless


@FORMS
async def test_an_answer_ends_at_its_most_tokens(stream: bool) -> None:
    async with client() as http:
        told = await ask(http, HELLO | {"max_output_tokens": 16, "stream": stream})
        assert (told["status"], told["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
        assert told["usage"]["output_tokens"] == 16
        assert any(essay.startswith(told["output"][0]["content"][0]["text"]) for essay in ESSAYS)


@FORMS
async def test_usage_can_be_asked_for(stream: bool) -> None:
    async with client() as http:
        headers = {"x-mock-prompt-tokens": "56", "x-mock-completion-tokens": "700", "x-mock-cached-tokens": "6"}
        told = await ask(http, HELLO | {"stream": stream}, **headers)
        assert (told["usage"]["input_tokens"], told["usage"]["output_tokens"]) == (56, 700)
        assert told["usage"]["input_tokens_details"]["cached_tokens"] == 6


@FORMS
async def test_a_tool_is_called_and_its_output_woven_in(stream: bool) -> None:
    asked: dict[str, Any] = {"tools": [TOOL], "stream": stream}
    async with client() as http:
        first = await ask(http, asked | {"input": "please search it"})
        (call,) = first["output"]
        assert (call["type"], call["name"], json.loads(call["arguments"])) == (
            "function_call",
            "search",
            {"query": "please search it"},
        )
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "It is up."}
        by_id = await ask(http, asked | {"input": [output], "previous_response_id": first["id"]})
        by_items = await ask(http, asked | {"input": [{"role": "user", "content": "please search it"}, call, output]})
        for told in (by_id, by_items):
            assert told["output"][0]["content"][0]["text"].startswith("search says: It is up.\n\n")
        assert by_id["usage"]["input_tokens"] == by_items["usage"]["input_tokens"] == int(6 * 1.3)


async def test_a_conversation_goes_on_and_its_words_count() -> None:
    async with client() as http:
        first = await ask(http)
        said = len(first["output"][0]["content"][0]["text"].split())
        second = await ask(http, {"input": "five", "previous_response_id": first["id"]})
        assert second["previous_response_id"] == first["id"]
        assert second["usage"]["input_tokens"] == int((4 + said + 1) * 1.3)
        third = await ask(http, {"input": "six", "previous_response_id": second["id"]})
        assert third["usage"]["input_tokens"] > 2 * second["usage"]["input_tokens"] - 50


@FORMS
async def test_a_response_is_kept_for_its_caller_until_it_is_deleted(stream: bool) -> None:
    async with client() as http:
        told = await ask(http, HELLO | {"stream": stream})
        one = f"{URL}/{told['id']}"
        assert (await http.get(one)).json() == told
        items = (await http.get(f"{one}/input_items")).json()
        assert [item["content"][0]["text"] for item in items["data"]] == ["one two three four"]
        for path, method in [(one, "GET"), (one, "DELETE"), (f"{one}/input_items", "GET")]:
            assert (await http.request(method, path, headers=BOB)).status_code == 404
        gone = await http.delete(one)
        assert gone.json() == {"id": told["id"], "object": "response", "deleted": True}
        for path, method in [(one, "GET"), (one, "DELETE"), (f"{one}/input_items", "GET")]:
            response = await http.request(method, path)
            assert response.status_code == 404
            assert response.json()["error"]["message"] == f"Response with id '{told['id']}' not found."
        assert len(await outcomes(http)) == 1


async def test_a_response_that_is_not_to_be_stored_is_not_kept() -> None:
    async with client() as http:
        told = await ask(http, HELLO | {"store": False})
        assert told["store"] is False
        assert (await http.get(f"{URL}/{told['id']}")).status_code == 404


async def test_a_reset_forgets_what_was_kept() -> None:
    async with client() as http:
        told = await ask(http)
        await http.delete("/ledger")
        assert (await http.get(f"{URL}/{told['id']}")).status_code == 404


@pytest.mark.parametrize("headers", [ALICE, BOB])
async def test_only_a_response_of_ones_own_can_be_continued(headers: dict[str, str]) -> None:
    async with client() as http:
        told = await ask(http)
        known = told["id"] if headers == BOB else "resp_unknown"
        response = await http.post(URL, json=HELLO | {"previous_response_id": known}, headers=headers)
        assert response.status_code == 400
        assert response.json()["error"] == {
            "message": f"Previous response with id '{known}' not found.",
            "type": "invalid_request_error",
            "param": "previous_response_id",
            "code": "previous_response_not_found",
        }


async def test_a_refused_request_is_entered_and_leaves_the_seed_alone() -> None:
    async with client() as http:
        assert (await http.post(URL, json=HELLO | {"stream": 1})).json()["error"]["param"] == "stream"
        assert (await http.post(URL, content=b"[]")).status_code == 400
        assert await outcomes(http) == [(URL, "refused", "400", None), (URL, "refused", "invalid_type", None)]
        after = await ask(http)
        await http.delete("/ledger")
        assert (await ask(http))["id"] == after["id"]


async def test_a_model_that_is_not_served_is_not_found(tmp_path: Path) -> None:
    models = tmp_path / "models.yaml"
    models.write_text("models: [{id: served}]")
    async with client(models=models) as http:
        assert (await ask(http))["model"] == "served"
        response = await http.post(URL, json=HELLO | {"model": "else"})
        assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


async def test_at_temperature_0_the_same_request_gets_the_same_answer() -> None:
    async with client() as http:
        told = [await ask(http, HELLO | {"temperature": 0}) for _ in range(3)]
        assert len({each["output"][0]["content"][0]["text"] for each in told}) == 1
        assert len({each["usage"]["output_tokens"] for each in told}) == 1
        assert len({each["id"] for each in told}) == 3


@FORMS
@pytest.mark.parametrize("by", ["header", "input"])
async def test_a_refusal_comes_by_header_or_by_the_inputs_words(by: str, stream: bool) -> None:
    async with client() as http:
        asked = {"input": "hello" if by == "header" else "hello fault:overloaded", "stream": stream}
        response = await http.post(URL, json=asked, headers={"x-mock-fault": "overloaded"} if by == "header" else {})
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert await outcomes(http) == [(URL, "overloaded", "503", None)]


@FORMS
async def test_an_answer_may_lack_its_usage(stream: bool) -> None:
    async with client() as http:
        told = await ask(http, HELLO | {"stream": stream}, **{"x-mock-fault": "no_usage"})
        assert (told["usage"], told["status"]) == (None, "completed")
        assert told["output"][0]["content"][0]["text"] in ESSAYS
        assert (await http.get("/ledger")).json()["callers"] == []
        await ask(http, HELLO | {"previous_response_id": told["id"]})


@FORMS
async def test_an_empty_answer_says_what_the_prompt_cost(stream: bool) -> None:
    async with client() as http:
        told = await ask(http, HELLO | {"stream": stream}, **{"x-mock-fault": "empty"})
        assert (told["output"], told["status"], told["usage"]["total_tokens"]) == ([], "completed", 5)
        (row,) = (await http.get("/ledger")).json()["callers"]
        assert row["total_tokens"] == 5


@FORMS
async def test_a_malformed_answer_is_no_json_and_is_not_kept(stream: bool) -> None:
    async with client() as http:
        response = await http.post(URL, json=HELLO | {"stream": stream}, headers={"x-mock-fault": "malformed"})
        assert response.status_code == 200
        assert "total_tokens" not in response.text
        with pytest.raises(json.JSONDecodeError):
            document_of(response)
        assert (await http.get("/ledger")).json()["callers"] == []
        assert response.text.count("resp_") > 0
        key = response.text.partition("resp_")[2][:24]
        assert (await http.get(f"{URL}/resp_{key}")).status_code == 404


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


def deepest() -> int:
    """What the reader takes; what the writer adds around it is more than it can write."""
    good, bad = 1, 1_000_000
    while bad - good > 1:
        depth = (good + bad) // 2
        try:
            read_json(nested(depth).encode())
            good = depth
        except ValueError:
            bad = depth
    return good


@pytest.mark.parametrize(
    "body",
    [
        '{"input": "x", "reasoning": %s}',
        '{"input": "x", "text": {"more": %s}, "stream": true}',
        '{"input": "x", "temperature": 0, "unknown": %s}',
        '{"input": [{"role": "user", "content": "x", "more": %s}]}',
    ],
)
async def test_a_body_nested_too_deeply_is_refused(body: str) -> None:
    most = deepest()
    async with client() as http:
        # How far below the reader's own bound it lies depends on the Python.
        depths = [10, *range(most - 40, most + 2)]
        statuses = [(await http.post(URL, content=body % nested(depth))).status_code for depth in depths]
        assert statuses == sorted(statuses)
        assert set(statuses) == {200, 400}
