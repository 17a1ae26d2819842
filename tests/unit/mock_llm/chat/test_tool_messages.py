from typing import Any

import pytest

from mock_llm.chat.tool_messages import ToolResult, read_tool_results
from mock_llm.errors import ApiError

ASKS: dict[str, Any] = {"role": "user", "content": "hello"}


def calling(*ids: str) -> dict[str, Any]:
    function = {"name": "search", "arguments": "{}"}
    return {"role": "assistant", "tool_calls": [{"id": each, "type": "function", "function": function} for each in ids]}


def result(call_id: str, content: str = "found") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def refusal(*messages: dict[str, Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read_tool_results(list(messages))
    assert (caught.value.status, caught.value.kind) == (400, "invalid_request_error")
    return caught.value


def test_the_results_are_those_that_the_conversation_ends_with() -> None:
    first = [ASKS, calling("a"), result("a", "old")]
    assert read_tool_results([*first, calling("b", "c"), result("c", "two"), result("b", "one")]) == (
        ToolResult("search", "two"),
        ToolResult("search", "one"),
    )
    assert read_tool_results([*first, {"role": "assistant", "content": "so"}]) == ()
    assert read_tool_results([*first, ASKS]) == ()


def test_a_custom_tools_call_has_input_and_no_arguments() -> None:
    call = {"id": "a", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
    messages = [{"role": "assistant", "tool_calls": [call]}, result("a", "files")]
    assert read_tool_results(messages) == (ToolResult("shell", "files"),)


def test_a_tool_message_without_the_id_of_its_call_is_refused() -> None:
    error = refusal(ASKS, calling("a"), {"role": "tool", "content": "found"})
    assert error.message == "Missing parameter 'tool_call_id': messages with role 'tool' must have a 'tool_call_id'."
    assert error.param == "messages.[2].tool_call_id"
    assert refusal(calling("a"), result("a") | {"tool_call_id": 1}).code == "invalid_type"


@pytest.mark.parametrize("before", [[], [ASKS], [calling("a"), result("a"), {"role": "assistant", "content": "so"}]])
def test_a_tool_message_that_answers_no_call_is_refused(before: list[dict[str, Any]]) -> None:
    error = refusal(*before, result("a"))
    assert error.message == (
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
    )
    assert error.param == f"messages.[{len(before)}].role"


def test_a_tool_message_with_the_id_of_another_call_is_refused() -> None:
    error = refusal(calling("a"), result("b"))
    assert error.message == "Invalid parameter: 'tool_call_id' of 'b' not found in 'tool_calls' of previous message."
    assert error.param == "messages.[1].tool_call_id"


@pytest.mark.parametrize(
    ("messages", "ids", "param"),
    [
        ([calling("a", "b"), result("b")], "a", "messages"),
        ([calling("a", "b")], "a, b", "messages"),
        ([calling("a"), ASKS], "a", "messages.[1].role"),
        ([calling("a"), calling("b"), result("b")], "a", "messages.[1].role"),
    ],
)
def test_a_call_without_its_result_is_refused(messages: list[dict[str, Any]], ids: str, param: str) -> None:
    error = refusal(*messages)
    assert error.message == (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {ids}"
    )
    assert error.param == param


@pytest.mark.parametrize(
    ("calls", "param", "code"),
    [
        ("x", "messages[0].tool_calls", "invalid_type"),
        ([], "messages[0].tool_calls", "empty_array"),
        (["x"], "messages[0].tool_calls[0]", "invalid_type"),
        ([{"id": "a"}], "messages[0].tool_calls[0].type", "missing_required_parameter"),
        ([{"id": "a", "type": "x"}], "messages[0].tool_calls[0].type", "invalid_value"),
        ([{"id": "a", "type": "function"}], "messages[0].tool_calls[0].function", "missing_required_parameter"),
        ([{"id": "a", "type": "function", "function": 1}], "messages[0].tool_calls[0].function", "invalid_type"),
        (
            [{"id": "a", "type": "function", "function": {"name": "f", "arguments": {}}}],
            "messages[0].tool_calls[0].function.arguments",
            "invalid_type",
        ),
        (
            [{"type": "function", "function": {"name": "f", "arguments": "{}"}}],
            "messages[0].tool_calls[0].id",
            "missing_required_parameter",
        ),
    ],
)
def test_a_wrong_call_is_refused_by_name(calls: Any, param: str, code: str) -> None:
    error = refusal({"role": "assistant", "tool_calls": calls})
    assert (error.param, error.code) == (param, code)


def test_calls_that_are_null_are_absent() -> None:
    assert read_tool_results([{"role": "assistant", "content": "so", "tool_calls": None}]) == ()
