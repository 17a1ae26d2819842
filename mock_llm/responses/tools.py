"""The tools of a request, which this API writes flat: {"type": "function", "name": ...}. Chat completions nest them."""

from typing import Any

from mock_llm.chat.tool_messages import required_string
from mock_llm.chat.tools import NO_TOOLS, Toolbox, read_toolbox
from mock_llm.errors import ApiError, wrong_value

HOSTED = (
    "file_search",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "computer",
    "computer_use",
    "computer_use_preview",
    "code_interpreter",
    "image_generation",
    "local_shell",
    "shell",
    "apply_patch",
    "mcp",
    "namespace",
    "tool_search",
    "programmatic_tool_calling",
)
"""Tools that a provider runs itself. They are accepted, and never called."""
KINDS = ("function", "custom", *HOSTED)


def read_flat_toolbox(asked: dict[str, Any]) -> Toolbox:
    """Raises ApiError (400), naming the parameter as this API writes it."""
    tools, choice = asked.get("tools"), asked.get("tool_choice")
    if tools is None or tools == []:
        if choice in (None, "auto", "none"):
            return NO_TOOLS
        tools = None
    nested = {
        "tools": [_nested_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools)]
        if isinstance(tools, list)
        else tools,
        "tool_choice": _nested_choice(choice),
        "parallel_tool_calls": asked.get("parallel_tool_calls"),
    }
    try:
        return read_toolbox(nested)
    except ApiError as refusal:
        raise _in_flat_words(refusal) from None


def _nested_tool(tool: Any, param: str) -> Any:
    if not isinstance(tool, dict):
        return tool
    kind = required_string(tool, "type", param)
    if kind not in KINDS:
        raise wrong_value(f"{param}.type", kind, ", ".join(map(repr, KINDS)))
    if kind in HOSTED:
        return {"type": "custom", "custom": {"name": kind}}
    return {"type": kind, kind: {key: tool[key] for key in ("name", "parameters") if key in tool}}


def _nested_choice(choice: Any) -> Any:
    if not isinstance(choice, dict):
        return choice
    kind = choice.get("type")
    if kind == "function":
        return {"type": kind, kind: {"name": choice["name"]} if "name" in choice else {}}
    return {"type": "custom"} if kind in HOSTED else choice


def _in_flat_words(refusal: ApiError) -> ApiError:
    message, param = refusal.message, refusal.param or ""
    for nesting in (".function", ".custom"):
        message, param = message.replace(nesting, ""), param.replace(nesting, "")
    return ApiError(refusal.status, message, param, refusal.code)
