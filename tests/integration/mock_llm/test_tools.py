"""Two turns on a real socket: the mock calls the tool that the prompt names, then weaves its result into the reply."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mock_llm.essays import ESSAYS
from tests.unit.mock_llm.told import counts

from .serving import serving

PATH = "/v1/chat/completions"
CALLER = {"X-Team-ID": "dba", "X-User-Id": "alice"}
STREAM: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
PROMPT = 'Please ask support-agent: why is it "down"? \N{GRINNING FACE}'
SCHEMA = {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]}
ASKS: dict[str, Any] = {
    "messages": [{"role": "user", "content": PROMPT}],
    "tools": [{"type": "function", "function": {"name": "kagent__NS__support_agent", "parameters": SCHEMA}}],
}


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with (
        serving("mock_llm", MOCK_LLM_SEED="7") as (_, url),
        httpx.Client(base_url=url, trust_env=False, headers=CALLER) as client,
    ):
        yield client


def events_of(response: httpx.Response) -> list[Any]:
    *events, done, rest = response.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(event.removeprefix("data: ")) for event in events]


def test_a_call_and_its_result_in_json(http: httpx.Client) -> None:
    first = http.post(PATH, json=ASKS).json()
    (choice,) = first["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    (call,) = choice["message"]["tool_calls"]
    assert (call["type"], call["function"]["name"]) == ("function", "kagent__NS__support_agent")
    assert json.loads(call["function"]["arguments"]) == {"message": PROMPT}

    result = {"role": "tool", "tool_call_id": call["id"], "content": "It is not down."}
    second = http.post(PATH, json=ASKS | {"messages": [*ASKS["messages"], choice["message"], result]}).json()
    reply = second["choices"][0]["message"]["content"]
    assert second["choices"][0]["finish_reason"] == "stop"
    assert reply.removeprefix("support-agent says: It is not down.\n\n") in ESSAYS

    used = [counts(first["usage"]), counts(second["usage"])]
    told = {key: sum(usage[key] for usage in used) for key in used[0]}
    assert http.get("/ledger").json()["callers"] == [{"team": "dba", "user": "alice", "requests": 2} | told]


def test_a_streamed_call_is_the_call_in_json(http: httpx.Client) -> None:
    *events, usage = events_of(http.post(PATH, json=ASKS | STREAM))
    assert [event["choices"][0]["finish_reason"] for event in events] == [None] * (len(events) - 1) + ["tool_calls"]
    deltas = [event["choices"][0]["delta"] for event in events]
    opening, *pieces = [call for delta in deltas for call in delta.get("tool_calls", [])]
    assert (opening["index"], opening["type"], opening["function"]["arguments"]) == (0, "function", "")
    assert opening["function"]["name"] == "kagent__NS__support_agent"
    assert len(pieces) > 1
    assert {piece["index"] for piece in pieces} == {0}
    assert json.loads("".join(piece["function"]["arguments"] for piece in pieces)) == {"message": PROMPT}
    assert usage["usage"]["completion_tokens"] == 20


def test_a_call_that_was_never_answered_is_refused(http: httpx.Client) -> None:
    called = http.post(PATH, json=ASKS).json()["choices"][0]["message"]
    response = http.post(PATH, json=ASKS | {"messages": [*ASKS["messages"], called, *ASKS["messages"]]})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "messages.[2].role"
    assert called["tool_calls"][0]["id"] in response.json()["error"]["message"]
