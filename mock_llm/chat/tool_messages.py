"""The tool calls in a conversation and their results: each call has to be answered, and each answer has to be to a call."""

from typing import Any, NamedTuple

from mock_llm.errors import ApiError, empty_array, missing, wrong_type, wrong_value


class ToolResult(NamedTuple):
    tool: str
    """The function's name, as it was offered."""
    content: Any
    """A string or an array of parts."""


def read_tool_results(messages: list[dict[str, Any]]) -> tuple[ToolResult, ...]:
    """The results that the conversation ends with, if it does. Raises ApiError (400) where calls and results do not match."""
    called: dict[str, str] = {}
    unanswered: dict[str, str] = {}
    results: list[ToolResult] = []
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            call_id = _answered_call(message, index, called)
            unanswered.pop(call_id, None)
            results.append(ToolResult(called[call_id], message["content"]))
            continue
        _refuse_unanswered(unanswered, f"messages.[{index}].role")
        called = _calls(message, f"messages[{index}].tool_calls")
        unanswered = dict(called)
        results = []
    _refuse_unanswered(unanswered, "messages")
    return tuple(results)


def _answered_call(message: dict[str, Any], index: int, called: dict[str, str]) -> str:
    param = f"messages.[{index}].tool_call_id"
    call_id = message.get("tool_call_id")
    if call_id is None:
        text = "Missing parameter 'tool_call_id': messages with role 'tool' must have a 'tool_call_id'."
        raise ApiError(400, text, param)
    if not isinstance(call_id, str):
        raise wrong_type(param, "a string", call_id)
    if not called:
        # The spelling is OpenAI's, which clients search for.
        text = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
        raise ApiError(400, text, f"messages.[{index}].role")
    if call_id not in called:
        text = f"Invalid parameter: 'tool_call_id' of '{call_id[:80]}' not found in 'tool_calls' of previous message."
        raise ApiError(400, text, param)
    return call_id


def _refuse_unanswered(unanswered: dict[str, str], param: str) -> None:
    if unanswered:
        text = (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
            f"The following tool_call_ids did not have response messages: {', '.join(unanswered)[:400]}"
        )
        raise ApiError(400, text, param)


def _calls(message: dict[str, Any], param: str) -> dict[str, str]:
    """The names of the functions that an assistant's message calls, by the calls' ids."""
    calls = message.get("tool_calls")
    if calls is None or message["role"] != "assistant":
        return {}
    if not isinstance(calls, list):
        raise wrong_type(param, "an array of objects", calls)
    if not calls:
        raise empty_array(param)
    return dict(_call(call, f"{param}[{index}]") for index, call in enumerate(calls))


def _call(call: Any, param: str) -> tuple[str, str]:
    if not isinstance(call, dict):
        raise wrong_type(param, "an object", call)
    kind = required_string(call, "type", param)
    if kind not in ("function", "custom"):
        raise wrong_value(f"{param}.type", kind, "'function' and 'custom'")
    called = required_object(call, kind, param)
    name = required_string(called, "name", f"{param}.{kind}")
    required_string(called, "arguments" if kind == "function" else "input", f"{param}.{kind}")
    return required_string(call, "id", param), name


def required_string(members: dict[str, Any], key: str, param: str) -> str:
    if key not in members:
        raise missing(f"{param}.{key}")
    value = members[key]
    if not isinstance(value, str):
        raise wrong_type(f"{param}.{key}", "a string", value)
    return value


def required_object(members: dict[str, Any], key: str, param: str) -> dict[str, Any]:
    if key not in members:
        raise missing(f"{param}.{key}")
    value = members[key]
    if not isinstance(value, dict):
        raise wrong_type(f"{param}.{key}", "an object", value)
    return value
