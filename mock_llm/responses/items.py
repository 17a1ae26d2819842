"""The input of a request: one string, or items; refused where OpenAI would refuse them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mock_llm.chat.messages import Conversation
from mock_llm.chat.tool_messages import ToolResult, required_string
from mock_llm.errors import ApiError, empty_array, missing, wrong_type, wrong_value
from mock_llm.responses.contents import text_of_content

ROLES = ("user", "assistant", "system", "developer")
PASSED_OVER = (
    "reasoning",
    "item_reference",
    "compaction",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "web_search_call",
    "computer_call",
    "computer_call_output",
    "code_interpreter_call",
    "image_generation_call",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "tool_search_call",
    "tool_search_output",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
)
"""Items that are accepted, and that the mock has no use for."""
KINDS = ("message", "function_call", "function_call_output", *PASSED_OVER)


class History(NamedTuple):
    """What a turn needs to know of those before it."""

    words: int = 0
    text: str = ""
    """Of the last user message."""
    calls: Mapping[str, str] = {}
    """The functions that the last response called, by call id. The next turn brings their output."""


def read_items(given: Any) -> list[dict[str, Any]]:
    """A string is one user message. Raises ApiError (400)."""
    if given is None:
        raise missing("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list):
        raise wrong_type("input", "a string or an array of items", given)
    if not given:
        raise empty_array("input")
    return [_item(item, f"input[{index}]") for index, item in enumerate(given)]


def read_conversation(items: list[dict[str, Any]], history: History) -> Conversation:
    """Of items that have been read. Raises ApiError (400) where calls and outputs do not match."""
    words, text, calls = history.words, history.text, dict(history.calls)
    unanswered = dict(calls)
    results: list[ToolResult] = []
    for index, item in enumerate(items):
        kind = item["type"]
        if kind == "function_call_output":
            call_id, output = item["call_id"], text_of_content(item["output"], f"input[{index}].output", "user")
            if call_id not in calls:
                raise ApiError(400, f"No tool call found for function call output with call_id {call_id[:80]}.", "input")
            unanswered.pop(call_id, None)
            results.append(ToolResult(calls[call_id], output))
            words += len(output.split())
        elif kind == "function_call":
            calls[item["call_id"]] = unanswered[item["call_id"]] = item["name"]
            results = []
        elif kind == "message":
            said = text_of_content(item["content"], f"input[{index}].content", item["role"])
            words += len(said.split())
            text = said if item["role"] == "user" else text
            results = []
    if unanswered:
        raise ApiError(400, f"No tool output found for function call {next(iter(unanswered))[:80]}.", "input")
    return Conversation(words, text, tuple(results))


def _item(item: Any, param: str) -> dict[str, Any]:
    """With its type, which a message may leave out."""
    if not isinstance(item, dict):
        raise wrong_type(param, "an object", item)
    if "type" not in item and "role" in item:
        return _item({"type": "message"} | item, param)
    kind = required_string(item, "type", param)
    if kind not in KINDS:
        raise wrong_value(f"{param}.type", kind, ", ".join(map(repr, KINDS)))
    _check_id(item, param)
    if kind == "message":
        role = required_string(item, "role", param)
        if role not in ROLES:
            raise wrong_value(f"{param}.role", role, ", ".join(map(repr, ROLES)))
        if "content" not in item:
            raise missing(f"{param}.content")
    elif kind == "function_call":
        for key in ("call_id", "name", "arguments"):
            required_string(item, key, param)
    elif kind == "function_call_output":
        required_string(item, "call_id", param)
        if "output" not in item:
            raise missing(f"{param}.output")
    return item


def _check_id(item: dict[str, Any], param: str) -> None:
    if not isinstance(item.get("id", ""), str | None):
        raise wrong_type(f"{param}.id", "a string", item["id"])
