"""The tools that a request offers, and which of them it lets the mock choose; refused where OpenAI would refuse them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mock_llm.chat.tool_messages import required_object, required_string
from mock_llm.errors import ApiError, empty_array, wrong_type, wrong_value

MOST_TOOLS = 128
LONGEST_NAME = 64
NAME = re.compile(r"[a-zA-Z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    argument: str | None
    """The parameter that takes the user's text: `message`, else `query`, else the first that is a string of any text."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Their JSON Schema."""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """`choice` is `none`, `auto` or `required`; a request that names one function offers that alone, as required."""

    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    parallel: bool = True


NO_TOOLS = Toolbox()


def read_toolbox(asked: dict[str, Any]) -> Toolbox:
    """Raises ApiError (400). Custom tools are accepted, and never called: they take no JSON."""
    offered = asked.get("tools")
    choice = asked.get("tool_choice")
    if offered is None:
        if choice is not None:
            raise _wrong_choice("'tool_choice' is only allowed when 'tools' are specified.")
        return NO_TOOLS
    tools = _tools(offered)
    parallel = asked.get("parallel_tool_calls")
    if parallel is not None and not isinstance(parallel, bool):
        raise wrong_type("parallel_tool_calls", "a boolean", parallel)
    if isinstance(choice, dict):
        return Toolbox(*_chosen(choice, tools), parallel is not False)
    return Toolbox(tools, _choice(choice), parallel is not False)


def _tools(offered: Any) -> tuple[Tool, ...]:
    if not isinstance(offered, list):
        raise wrong_type("tools", "an array of objects", offered)
    if not offered:
        raise empty_array("tools")
    if len(offered) > MOST_TOOLS:
        message = (
            f"Invalid 'tools': array too long. Expected an array with maximum length {MOST_TOOLS}, "
            f"but got an array with length {len(offered)} instead."
        )
        raise ApiError(400, message, "tools", "array_above_max_length")
    read = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(offered)]
    return tuple(tool for tool in read if tool is not None)


def _tool(tool: Any, param: str) -> Tool | None:
    if not isinstance(tool, dict):
        raise wrong_type(param, "an object", tool)
    kind = required_string(tool, "type", param)
    if kind not in ("function", "custom"):
        raise wrong_value(f"{param}.type", kind, "'function' and 'custom'")
    described = required_object(tool, kind, param)
    name = checked_name(required_string(described, "name", f"{param}.{kind}"), f"{param}.{kind}.name")
    if kind == "custom":
        return None
    schema = described.get("parameters")
    return Tool(name, _argument(schema, name, f"{param}.function.parameters"), schema or {})


def checked_name(name: str, param: str) -> str:
    """Raises ApiError (400) for a name that OpenAI would refuse."""
    if len(name) > LONGEST_NAME:
        message = (
            f"Invalid '{param}': string too long. Expected a string with maximum length {LONGEST_NAME}, "
            f"but got a string with length {len(name)} instead."
        )
        raise ApiError(400, message, param, "string_above_max_length")
    if not NAME.fullmatch(name):
        message = (
            f"Invalid '{param}': string does not match pattern. Expected a string that matches the pattern '^{NAME.pattern}$'."
        )
        raise ApiError(400, message, param, "invalid_value")
    return name


def _argument(schema: Any, name: str, param: str) -> str | None:
    if schema is None:
        return None
    if not isinstance(schema, dict):
        raise wrong_type(param, "an object", schema)
    if schema and schema.get("type") != "object":
        message = (
            f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"', "
            f"got 'type: \"{str(schema.get('type'))[:80]}\"'."
        )
        raise ApiError(400, message, param, "invalid_function_parameters")
    properties = schema.get("properties")
    strings = [key for key, kind in properties.items() if _is_any_text(kind)] if isinstance(properties, dict) else []
    return next((key for key in ("message", "query", *strings) if key in strings), None)


def _is_any_text(schema: Any) -> bool:
    if not isinstance(schema, dict) or any(keyword in schema for keyword in ("const", "enum", "format", "pattern")):
        return False
    kind = schema.get("type")
    return kind == "string" or (isinstance(kind, list) and "string" in kind)


def _choice(choice: Any) -> str:
    if choice is None:
        return "auto"
    if not isinstance(choice, str):
        raise wrong_type("tool_choice", "a string or an object", choice)
    if choice not in ("none", "auto", "required"):
        raise wrong_value("tool_choice", choice, "'none', 'auto', and 'required'")
    return choice


def _chosen(choice: dict[str, Any], tools: tuple[Tool, ...]) -> tuple[tuple[Tool, ...], str]:
    kind = required_string(choice, "type", "tool_choice")
    if kind in ("allowed_tools", "custom"):
        return tools, "auto"
    if kind != "function":
        raise wrong_value("tool_choice.type", kind, "'function', 'allowed_tools', and 'custom'")
    name = required_string(required_object(choice, "function", "tool_choice"), "name", "tool_choice.function")
    named = tuple(tool for tool in tools if tool.name == name)
    if not named:
        raise _wrong_choice(f"no function named '{name[:80]}' was specified in the 'tools' parameter.")
    return named[:1], "required"


def _wrong_choice(reason: str) -> ApiError:
    return ApiError(400, f"Invalid value for 'tool_choice': {reason}", "tool_choice")
