import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_llm.chat.replies import ESSAY_REPLIES, Reply, reply
from mock_llm.chat.sayings import Said
from mock_llm.chat.tool_calls import ToolCall
from mock_llm.essays import ESSAYS
from tests.unit.mock_llm.turns import ANSWER_ID


def replied(text: str = "", calls: tuple[ToolCall, ...] = (), finish_reason: str = "stop", first_call: int = 0) -> Reply:
    return reply(Said(text, calls, finish_reason, 20), ANSWER_ID, first_call)


def choice_of(encoded: Reply) -> dict[str, Any]:
    choice: dict[str, Any] = json.loads(b"{" + encoded.rest)
    return choice


def joined(encoded: Reply) -> dict[str, Any]:
    """The message that a client puts together from a stream's deltas, which tell of no annotations."""
    message: dict[str, Any] = {"annotations": []}
    for delta in map(json.loads, (encoded.opening, *encoded.pieces)):
        for call in delta.pop("tool_calls", []):
            calls = message.setdefault("tool_calls", [])
            if call["index"] == len(calls):
                calls.append({"id": call["id"], "type": call["type"], "function": call["function"]})
            else:
                calls[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
        for key, value in delta.items():
            message[key] = message[key] + value if key in message else value
    return message


def test_a_bare_essay_was_encoded_at_import() -> None:
    assert replied(ESSAYS[2]) is ESSAY_REPLIES[ESSAYS[2]]


@pytest.mark.parametrize("finish_reason", ["stop", "length"])
@pytest.mark.parametrize("text", [ESSAYS[2], "", 'a "b"\u2028 \N{GRINNING FACE} c'])
def test_a_text_says_why_it_ended(text: str, finish_reason: str) -> None:
    encoded = replied(text, finish_reason=finish_reason)
    assert choice_of(encoded) == {
        "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []},
        "logprobs": None,
        "finish_reason": finish_reason,
    }
    assert json.loads(encoded.finish_reason) == finish_reason
    assert joined(encoded) == choice_of(encoded)["message"]


def test_a_call_is_openais_and_numbered_among_all_of_the_answer() -> None:
    encoded = replied(calls=(ToolCall("f", "{}"), ToolCall("g", '{"a": 1}')), finish_reason="tool_calls", first_call=2)
    assert choice_of(encoded) == {
        "message": {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": f"call_{7:024x}02", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": f"call_{7:024x}03", "type": "function", "function": {"name": "g", "arguments": '{"a": 1}'}},
            ],
            "refusal": None,
            "annotations": [],
        },
        "logprobs": None,
        "finish_reason": "tool_calls",
    }


CALLS = st.lists(
    st.builds(
        lambda name, text: ToolCall(name, json.dumps({"message": text}, ensure_ascii=False)),
        st.text("ab_", min_size=1),
        st.text(),
    ),
    min_size=1,
    max_size=4,
)


@given(calls=CALLS)
def test_the_pieces_of_a_streamed_call_joined_are_the_call_in_the_document(calls: list[ToolCall]) -> None:
    encoded = replied(calls=tuple(calls), finish_reason="tool_calls")
    assert joined(encoded) == choice_of(encoded)["message"]


def test_long_arguments_come_in_several_pieces() -> None:
    assert len(replied(calls=(ToolCall("f", json.dumps({"message": "word " * 40})),)).pieces) > 3


@pytest.mark.parametrize("said", [Said("a text", (), "stop", 3), Said("", (ToolCall("f", "{}"),), "tool_calls", 20)])
def test_only_the_form_that_is_wanted_is_made(said: Said) -> None:
    for_document, for_stream = reply(said, ANSWER_ID, 0), reply(said, ANSWER_ID, 0)
    assert for_document.rest
    assert not {"opening", "pieces"} & vars(for_document).keys()
    assert for_stream.opening
    assert for_stream.pieces
    assert "rest" not in vars(for_stream)
