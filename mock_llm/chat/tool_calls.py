"""Tool calls by script: a prompt that names an offered tool gets a call of it, with the prompt as its argument
and in each other parameter that is required some value that its schema allows.

A tool is named by its function name, by the part of that behind `__NS__` (kagent calls an agent
`kagent__NS__support_agent`), and by either with `-` for `_`, in any case of letters: "please ask support-agent about invoices".
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mock_llm.chat.messages import Conversation, text_of
from mock_llm.chat.tools import Tool, Toolbox
from mock_llm.errors import ApiError
from mock_llm.json_schema.instances import Instances
from mock_llm.json_schema.scalars import NoInstanceError

NAMESPACE_END = "__NS__"
MOST_QUOTED = 200
"""Characters of a tool's result that a reply repeats."""
_WORD = re.compile(r"[\w-]+")


class ToolCall(NamedTuple):
    name: str
    arguments: str
    """A JSON object, as text."""


def calls_for(toolbox: Toolbox, conversation: Conversation) -> Iterator[ToolCall]:
    """In the order in which the tools were offered. None behind a tool's result, unless the request requires a call.

    Raises ApiError (400) for a tool whose required parameters the mock cannot fill.
    """
    tools = _wanted(toolbox, conversation)
    instances = Instances()
    for tool in tools if toolbox.parallel else tools[:1]:
        yield _call(tool, conversation.text, instances)


def introduction(conversation: Conversation) -> str:
    """What the tools said, as a reply repeats it; empty where the conversation does not end with a tool's result."""
    quotes = (_quote(result.tool, text_of(result.content)) for result in conversation.results)
    return " ".join(quotes)


def spoken_name(function: str) -> str:
    """`kagent__NS__support_agent` is support-agent."""
    return function.rpartition(NAMESPACE_END)[2].replace("_", "-")


def _wanted(toolbox: Toolbox, conversation: Conversation) -> tuple[Tool, ...]:
    if toolbox.choice == "none":
        return ()
    required = toolbox.choice == "required"
    if conversation.results and not required:
        return ()
    said = {_plain(word) for word in _WORD.findall(conversation.text)}
    named = tuple(tool for tool in toolbox.tools if said & {_plain(tool.name), _plain(spoken_name(tool.name))})
    return named or (toolbox.tools[:1] if required else ())


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").strip("-")


def _call(tool: Tool, text: str, instances: Instances) -> ToolCall:
    schema = tool.parameters
    said = {} if tool.argument is None else {tool.argument: text}
    try:
        passed = instances.of({**schema, "required": _others(schema, tool.argument)}, schema) if schema else {}
    except NoInstanceError as error:
        message = f"Invalid schema for function '{tool.name}': {error}."
        raise ApiError(400, message, "tools", "invalid_function_parameters") from None
    return ToolCall(tool.name, json.dumps(said | passed, ensure_ascii=False))


def _others(schema: Mapping[str, Any], argument: str | None) -> Any:
    """The required parameters beside the one that takes the prompt."""
    required = schema.get("required")
    return [name for name in required if name != argument] if isinstance(required, list) else required


def _quote(tool: str, text: str) -> str:
    quoted = text.strip()[:MOST_QUOTED].rstrip().removesuffix(".")
    return f"{spoken_name(tool)} says: {quoted}." if quoted else f"{spoken_name(tool)} says nothing."
