"""The conversation in a request: how long it is, what its user said last, and which tool results it ends with."""

from typing import Any, NamedTuple

from mock_llm.chat.tool_messages import ToolResult, read_tool_results, required_string
from mock_llm.errors import ApiError, missing, wrong_type, wrong_value

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
PARTS_OF_OTHERS = ("text", "image_url", "input_audio", "file")
PARTS_OF_ASSISTANT = ("text", "refusal")


class Conversation(NamedTuple):
    words: int
    text: str
    """Of the last user message; empty where there is none."""
    results: tuple[ToolResult, ...]


def read_conversation(asked: dict[str, Any]) -> Conversation:
    """Raises ApiError (400) for messages that OpenAI would refuse."""
    if "messages" not in asked:
        raise missing("messages")
    messages = asked["messages"]
    if not isinstance(messages, list):
        raise wrong_type("messages", "an array", messages)
    if not messages:
        raise ApiError(400, "Invalid 'messages': expected at least one message.", "messages", "empty_array")
    words = 0
    last: Any = None
    about_tools = False
    for index, message in enumerate(messages):
        words += _words(message, index)
        if message["role"] == "user":
            last = message["content"]
        elif message["role"] == "tool" or "tool_calls" in message:
            about_tools = True
    return Conversation(words, text_of(last), read_tool_results(messages) if about_tools else ())


def text_of(content: Any) -> str:
    """The text of a message's content that has been read; parts of another kind have none."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content or () if part["type"] == "text")


def _words(message: Any, index: int) -> int:
    param = f"messages[{index}]"
    if not isinstance(message, dict):
        raise wrong_type(param, "an object", message)
    if "role" not in message:
        raise missing(f"{param}.role")
    role = message["role"]
    if not isinstance(role, str):
        raise wrong_type(f"{param}.role", "a string", role)
    if role not in ROLES:
        raise wrong_value(f"{param}.role", role, ", ".join(map(repr, ROLES)))
    content = message.get("content")
    if isinstance(content, str):
        return len(content.split())
    if isinstance(content, list):
        allowed = PARTS_OF_ASSISTANT if role == "assistant" else PARTS_OF_OTHERS
        return sum(_part_words(part, f"{param}.content[{index}]", allowed) for index, part in enumerate(content))
    if content is None and role == "assistant":
        return 0
    raise wrong_type(f"{param}.content", "a string or an array of parts", content)


def _part_words(part: Any, param: str, allowed: tuple[str, ...]) -> int:
    if not isinstance(part, dict):
        raise wrong_type(param, "an object", part)
    if not isinstance(part.get("type"), str):
        raise wrong_type(f"{param}.type", "a string", part.get("type"))
    if part["type"] not in allowed:
        raise wrong_value(f"{param}.type", part["type"], ", ".join(map(repr, allowed)))
    return len(required_string(part, "text", param).split()) if part["type"] == "text" else 0
