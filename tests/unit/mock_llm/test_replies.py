import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_llm.chat_request import ChatRequest
from mock_llm.draws import Draw
from mock_llm.essays import ESSAYS
from mock_llm.replies import ESSAY_REPLIES, Reply, reply_to
from mock_llm.tool_calls import ToolCall

DRAW = Draw(essay=2, completion_tokens=400, answer_id=f"chatcmpl-{7:024x}")


def asking(calls: tuple[ToolCall, ...] = (), max_tokens: int | None = None, introduction: str = "") -> ChatRequest:
    return ChatRequest("m", 1, False, False, "hello", max_tokens, calls, introduction)


def joined(reply: Reply) -> dict[str, Any]:
    """The message that a client puts together from a stream's deltas."""
    message: dict[str, Any] = {}
    for delta in map(json.loads, reply.deltas):
        for call in delta.pop("tool_calls", []):
            calls = message.setdefault("tool_calls", [])
            if call["index"] == len(calls):
                calls.append({"id": call["id"], "type": call["type"], "function": call["function"]})
            else:
                calls[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
        for key, value in delta.items():
            message[key] = message[key] + value if key in message else value
    return message


def test_a_reply_nobody_limits_is_the_essay_encoded_at_import() -> None:
    reply, tokens = reply_to(asking(), DRAW)
    assert reply is ESSAY_REPLIES[2]
    assert (json.loads(reply.message)["content"], reply.finish_reason, tokens) == (ESSAYS[2], b"stop", 400)


@pytest.mark.parametrize("limit", [400, 401, 10_000])
def test_a_limit_that_is_not_reached_changes_nothing(limit: int) -> None:
    assert reply_to(asking(max_tokens=limit), DRAW) == reply_to(asking(), DRAW)


@given(limit=st.integers(min_value=1, max_value=399), introduction=st.sampled_from(["", "a b says: c d."]))
def test_a_reply_over_the_limit_is_cut_in_proportion(limit: int, introduction: str) -> None:
    reply, tokens = reply_to(asking(max_tokens=limit, introduction=introduction), DRAW)
    content = json.loads(reply.message)["content"]
    whole = f"{introduction}\n\n{ESSAYS[2]}" if introduction else ESSAYS[2]
    assert whole.startswith(content)
    assert len(content.split()) == max(1, len(whole.split()) * limit // 400)
    assert (reply.finish_reason, tokens) == (b"length", limit)
    assert joined(reply) == json.loads(reply.message)


def test_an_introduction_stands_before_the_essay() -> None:
    reply, tokens = reply_to(asking(introduction="support-agent says: no."), DRAW)
    assert json.loads(reply.message)["content"] == f"support-agent says: no.\n\n{ESSAYS[2]}"
    assert (reply.finish_reason, tokens) == (b"stop", 400)


def test_a_call_is_openais_and_takes_twenty_tokens() -> None:
    reply, tokens = reply_to(asking((ToolCall("f", "{}"), ToolCall("g", '{"a": 1}'))), DRAW)
    assert json.loads(reply.message) == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": f"call_{7:024x}00", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": f"call_{7:024x}01", "type": "function", "function": {"name": "g", "arguments": '{"a": 1}'}},
        ],
        "refusal": None,
    }
    assert (reply.finish_reason, tokens) == (b"tool_calls", 40)


CALLS = st.lists(
    st.builds(
        lambda name, text: ToolCall(name, json.dumps({"message": text}, ensure_ascii=False)),
        st.text("ab_", min_size=1),
        st.text(),
    ),
    min_size=1,
    max_size=4,
)


@given(calls=CALLS, limit=st.none() | st.integers(min_value=1, max_value=100))
def test_the_pieces_of_a_streamed_call_joined_are_the_call_in_the_document(calls: list[ToolCall], limit: int | None) -> None:
    reply, _ = reply_to(asking(tuple(calls), limit), DRAW)
    assert joined(reply) == json.loads(reply.message)


@given(calls=CALLS, limit=st.integers(min_value=1, max_value=100))
def test_calls_over_the_limit_break_off(calls: list[ToolCall], limit: int) -> None:
    reply, tokens = reply_to(asking(tuple(calls), limit), DRAW)
    whole = 20 * len(calls)
    said = [call["function"] for call in json.loads(reply.message)["tool_calls"]]
    assert tokens == min(whole, limit)
    assert len(said) == -(-tokens // 20)
    assert all(call.arguments.startswith(part["arguments"]) for call, part in zip(calls, said, strict=False))
    assert (reply.finish_reason == b"tool_calls") == (limit >= whole)
    assert ([call.arguments for call in calls] == [part["arguments"] for part in said]) == (limit >= whole)


def test_long_arguments_come_in_several_pieces() -> None:
    reply, _ = reply_to(asking((ToolCall("f", json.dumps({"message": "word " * 40})),)), DRAW)
    assert len(reply.deltas) > 4
