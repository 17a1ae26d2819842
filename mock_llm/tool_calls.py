"""Tool calls by script: a prompt that names an offered tool gets a call of it, with the prompt as its argument.

A tool is named by its function name, by the part of that behind `__NS__` (kagent calls an agent
`kagent__NS__support_agent`), and by either with `-` for `_`, in any case of letters: "please ask support-agent about invoices".
"""

import json
import re
from typing import NamedTuple

from mock_llm.messages import Conversation, text_of
from mock_llm.tools import Tool, Toolbox

NAMESPACE_END = "__NS__"
MOST_QUOTED = 200
"""Characters of a tool's result that a reply repeats."""
_WORD = re.compile(r"[\w-]+")


class ToolCall(NamedTuple):
    name: str
    arguments: str
    """A JSON object, as text."""


def calls_for(toolbox: Toolbox, conversation: Conversation) -> tuple[ToolCall, ...]:
    """In the order in which the tools were offered. None behind a tool's result, unless the request requires a call."""
    tools = _wanted(toolbox, conversation)
    return tuple(_call(tool, conversation.text) for tool in (tools if toolbox.parallel else tools[:1]))


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


def _call(tool: Tool, text: str) -> ToolCall:
    return ToolCall(tool.name, json.dumps({} if tool.argument is None else {tool.argument: text}, ensure_ascii=False))


def _quote(tool: str, text: str) -> str:
    quoted = text.strip()[:MOST_QUOTED].rstrip().removesuffix(".")
    return f"{spoken_name(tool)} says: {quoted}." if quoted else f"{spoken_name(tool)} says nothing."
