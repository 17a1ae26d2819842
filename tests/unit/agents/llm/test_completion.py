import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm.completion import MOST_CALLS, Assembly, read_document, read_usage
from agents.outcomes import Answered, Meter, ToolCall, ToolsCalled
from agents.usage import Usage
from tests.unit.agents.doubles import STOP, USED, chunk, completion

METER = Meter(5000, 4287, 1200)


def calling(*calls: object, content: object = None) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content, "tool_calls": list(calls)}, "finish_reason": "tool_calls"}]}


def call(call_id: object = "1", name: object = "oracle", arguments: object = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def assembled(*chunks: object) -> tuple[Assembly, list[str]]:
    assembly = Assembly()
    return assembly, [assembly.add(each) for each in chunks]


def test_a_text_is_an_answer_with_its_usage() -> None:
    assert read_document(completion("Hello."), METER) == Answered("Hello.", Usage(13, 700, 713), METER)


def test_tools_that_are_called_are_read_with_what_is_said_besides() -> None:
    document = calling(call("1", "oracle", '{"a": 1}'), call("2", "web"), content="Let me ask.")
    assert read_document(document, METER) == ToolsCalled(
        "Let me ask.", (ToolCall("1", "oracle", '{"a": 1}'), ToolCall("2", "web", "{}")), None, METER
    )


def test_a_call_without_a_name_or_an_id_is_left_out() -> None:
    document = calling(call(call_id=""), call(name=None), call("3", arguments=None), "call", None)
    assert read_document(document, METER) == ToolsCalled("", (ToolCall("3", "oracle", ""),), None, METER)


@pytest.mark.parametrize("content", [None, "", " \n", ["a"], 7])
def test_neither_a_text_nor_a_call_is_nothing(content: object) -> None:
    assert read_document(calling(call(name=""), content=content), METER) is None


def test_a_model_calls_so_many_tools_and_no_more() -> None:
    outcome = read_document(calling(*(call(str(number)) for number in range(500))), METER)
    assert isinstance(outcome, ToolsCalled)
    assert len(outcome.calls) == MOST_CALLS == 16
    pieces = [{"index": number, **call(str(number))} for number in range(500)]
    streamed = assembled(chunk(tool_calls=pieces))[0].outcome(METER)
    assert isinstance(streamed, ToolsCalled)
    assert len(streamed.calls) == MOST_CALLS


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 4}, Usage(1, 2, 4)),
        ({"prompt_tokens": 1, "completion_tokens": 2}, Usage(1, 2, 3)),
        ({"prompt_tokens": -1, "completion_tokens": "2", "total_tokens": True}, Usage(0, 0, 0)),
        ({}, Usage(0, 0, 0)),
        (None, None),
        ([1], None),
    ],
)
def test_usage_is_what_can_be_believed_of_it(usage: object, read: Usage | None) -> None:
    assert read_usage({"usage": usage}) == read


def test_words_are_put_together_and_the_usage_comes_last() -> None:
    assembly, words = assembled(chunk("", role="assistant"), chunk("An "), chunk("essay."), STOP, USED)
    assert words == ["", "An ", "essay.", "", ""]
    assert assembly.outcome(METER) == Answered("An essay.", Usage(13, 700, 713), METER)
    assert assembly.size == len("An essay.")


def test_the_usage_may_come_before_the_end() -> None:
    assembly, _ = assembled(chunk("Hello."), USED, STOP)
    assert assembly.outcome(METER) == Answered("Hello.", Usage(13, 700, 713), METER)


def test_an_answer_has_ended_once_the_llm_says_why_it_stopped() -> None:
    assembly, _ = assembled(chunk("An essay."))
    assert not assembly.ended
    assembly.add(STOP)
    assembly.add(USED)
    assert assembly.ended


def test_a_stream_that_says_that_it_is_over_has_ended() -> None:
    assembly, _ = assembled(chunk("An essay."))
    assembly.end()
    assert assembly.ended


def test_tool_calls_come_in_pieces_and_mixed() -> None:
    assembly, _ = assembled(
        chunk("Let me ask.", tool_calls=[{"index": 0, **call("a", "oracle", "")}]),
        chunk(tool_calls=[{"index": 0, "function": {"arguments": '{"mess'}}, {"index": 1, **call("b", "web", "{")}]),
        chunk(tool_calls=[{"index": 1, "function": {"arguments": "}"}}]),
        chunk(tool_calls=[{"index": 0, "function": {"arguments": 'age": 1}'}}]),
        chunk(finish="tool_calls"),
    )
    assert assembly.outcome(METER) == ToolsCalled(
        "Let me ask.", (ToolCall("a", "oracle", '{"message": 1}'), ToolCall("b", "web", "{}")), None, METER
    )
    assert assembly.size == len('Let me ask.{"message": 1}{}')


def test_without_an_index_a_piece_belongs_to_its_place() -> None:
    assembly, _ = assembled(chunk(tool_calls=[call("a", arguments="{")]), chunk(tool_calls=[{"function": {"arguments": "}"}}]))
    assert assembly.outcome(METER) == ToolsCalled("", (ToolCall("a", "oracle", "{}"),), None, METER)


def test_a_call_of_a_stream_without_a_name_is_left_out() -> None:
    assert assembled(chunk(tool_calls=[{"index": 0, "id": "a"}]), STOP)[0].outcome(METER) is None


@given(st.lists(st.text()))
def test_any_cutting_of_the_words_gives_the_same_answer(pieces: list[str]) -> None:
    text = "".join(pieces)
    assembly, words = assembled(*(chunk(piece) for piece in pieces), STOP)
    assert "".join(words) == assembly.text == text
    assert assembly.outcome(METER) == (Answered(text, None, METER) if text.strip() else None)


json_documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(["id", "name", "function"]), inner),
    max_leaves=8,
)


@given(json_documents)
def test_nothing_in_any_known_place_makes_it_raise(value: Any) -> None:
    function = {"index": value, "id": value, "function": {"name": value, "arguments": value}}
    said: list[Any] = [value, {"content": value}, {"tool_calls": value}, {"tool_calls": [value, function]}]
    for message in said:
        for document in ({"choices": [{"message": message}], "usage": value}, {"choices": value}, value):
            assert isinstance(read_document(json.loads(json.dumps(document)), METER), Answered | ToolsCalled | None)
        assembly, _ = assembled({"choices": [{"delta": message, "finish_reason": value}], "usage": value}, value)
        assert isinstance(assembly.outcome(METER), Answered | ToolsCalled | None)
