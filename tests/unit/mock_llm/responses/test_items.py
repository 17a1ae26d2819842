from typing import Any

import pytest

from mock_llm.chat.messages import Conversation
from mock_llm.chat.tool_messages import ToolResult
from mock_llm.errors import ApiError
from mock_llm.responses.items import PASSED_OVER, History, read_conversation, read_items


def message(role: str = "user", content: Any = "one two") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


def call(call_id: str = "call_1", name: str = "search") -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}"}


def output(call_id: str = "call_1", said: Any = "found it") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": said}


def read(given: Any, history: History | None = None) -> Conversation:
    return read_conversation(read_items(given), history or History())


def test_a_string_is_one_user_message() -> None:
    assert read("why is it down") == Conversation(4, "why is it down", ())
    assert read_items("why") == [message(content="why")]


def test_a_message_may_leave_out_its_type() -> None:
    assert read_items([{"role": "user", "content": "why"}]) == [message(content="why")]


def test_the_text_is_the_last_user_messages_and_all_words_count() -> None:
    said = [message(), message("assistant", "three"), message("user", "four five"), message("developer", "six")]
    assert read(said) == Conversation(6, "four five", ())


def test_parts_of_text_are_lines_and_others_are_passed_over() -> None:
    parts = [
        {"type": "input_text", "text": "one two"},
        {"type": "input_image", "image_url": "x"},
        {"type": "input_text", "text": "three"},
    ]
    assert read([message(content=parts)]) == Conversation(3, "one two\nthree", ())
    said = [{"type": "output_text", "text": "one"}, {"type": "refusal", "refusal": "two three"}]
    assert read([message("assistant", said)]) == Conversation(3, "", ())
    assert read([message(content=[])]) == Conversation(0, "", ())


@pytest.mark.parametrize("kind", PASSED_OVER)
def test_items_that_the_mock_has_no_use_for_are_passed_over(kind: str) -> None:
    assert read([{"type": kind, "anything": 1}, message()]) == Conversation(2, "one two", ())


def test_the_outputs_that_the_input_ends_with_are_its_results() -> None:
    asked = [message(), call("a", "search"), call("b", "find")]
    told = [output("a", "it is up"), {"type": "reasoning"}, output("b", [{"type": "input_text", "text": "down"}])]
    results = (ToolResult("search", "it is up"), ToolResult("find", "down"))
    assert read([*asked, *told]) == Conversation(6, "one two", results)
    assert read([*asked, *told, message()]).results == ()
    assert read([*asked, *told, call("c", "last"), output("c")]).results == (ToolResult("last", "found it"),)


def test_a_turn_knows_those_before_it() -> None:
    history = History(10, "before", {"a": "search"})
    assert read([output("a")], history) == Conversation(12, "before", (ToolResult("search", "found it"),))
    assert read([message()], History(10, "before")) == Conversation(12, "one two", ())


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ([output()], "No tool call found for function call output with call_id call_1."),
        ([message(), output("x"), call("x")], "No tool call found for function call output with call_id x."),
        ([message(), call()], "No tool output found for function call call_1."),
        ([message(), call("a"), call("b"), output("a")], "No tool output found for function call b."),
    ],
)
def test_calls_and_outputs_have_to_match(given: Any, refusal: str) -> None:
    with pytest.raises(ApiError) as caught:
        read(given)
    assert (caught.value.status, caught.value.message, caught.value.param) == (400, refusal, "input")


def test_the_calls_of_the_turn_before_have_to_be_answered() -> None:
    with pytest.raises(ApiError, match="No tool output found for function call a"):
        read("never mind", History(10, "before", {"a": "search"}))


@pytest.mark.parametrize(
    ("given", "param", "code", "message_"),
    [
        (None, "input", "missing_required_parameter", "Missing required parameter: 'input'."),
        (1, "input", "invalid_type", "expected a string or an array of items, but got an integer"),
        ([], "input", "empty_array", "minimum length 1"),
        (["x"], "input[0]", "invalid_type", "expected an object, but got a string"),
        ([{}], "input[0].type", "missing_required_parameter", "'input[0].type'"),
        ([{"type": None, "role": "user"}], "input[0].type", "invalid_type", "expected a string"),
        ([{"type": "x"}], "input[0].type", "invalid_value", "Supported values are: 'message', 'function_call'"),
        ([message() | {"id": 1}], "input[0].id", "invalid_type", "expected a string"),
        ([{"type": "message", "content": "x"}], "input[0].role", "missing_required_parameter", "'input[0].role'"),
        ([message("tool")], "input[0].role", "invalid_value", "'user', 'assistant', 'system', 'developer'"),
        ([{"role": "user"}], "input[0].content", "missing_required_parameter", "'input[0].content'"),
        ([message(content=None)], "input[0].content", "invalid_type", "expected a string or an array of parts, but got null"),
        ([message(content=["x"])], "input[0].content[0]", "invalid_type", "expected an object"),
        ([message(content=[{}])], "input[0].content[0].type", "missing_required_parameter", "content[0].type"),
        (
            [message(content=[{"type": "text", "text": "x"}])],
            "input[0].content[0].type",
            "invalid_value",
            "Supported values are: 'input_text', 'input_image', 'input_file', 'input_audio'.",
        ),
        (
            [message("assistant", [{"type": "input_text", "text": "x"}])],
            "input[0].content[0].type",
            "invalid_value",
            "Supported values are: 'output_text', 'refusal'.",
        ),
        ([message(content=[{"type": "input_text"}])], "input[0].content[0].text", "missing_required_parameter", "text"),
        ([call() | {"name": 1}], "input[0].name", "invalid_type", "expected a string"),
        ([call() | {"arguments": {}}], "input[0].arguments", "invalid_type", "expected a string"),
        ([{"type": "function_call"}], "input[0].call_id", "missing_required_parameter", "'input[0].call_id'"),
        ([output() | {"call_id": 1}], "input[0].call_id", "invalid_type", "expected a string"),
        (
            [{"type": "function_call_output", "call_id": "x"}],
            "input[0].output",
            "missing_required_parameter",
            "'input[0].output'",
        ),
        ([call(), output(said=1)], "input[1].output", "invalid_type", "expected a string or an array of parts"),
        ([call(), output(said=[{"type": "text"}])], "input[1].output[0].type", "invalid_value", "'input_text'"),
    ],
)
def test_what_openai_refuses_is_refused(given: Any, param: str, code: str, message_: str) -> None:
    with pytest.raises(ApiError) as caught:
        read(given)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)
    assert message_ in caught.value.message
