"""What a chat completion request asks for; the rules and the wording of refusals are those of OpenAI's API reference.

There an optional parameter that is null is one that is absent.
"""

from dataclasses import dataclass
from typing import Any

from mock_llm.errors import ApiError
from mock_llm.strict_json import read_json

DEFAULT_MODEL = "mock-essay-7b"
TOKENS_PER_WORD = 1.3
ROLES = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    model: str
    prompt_tokens: int
    stream: bool
    include_usage: bool


def read_chat_request(body: bytes) -> ChatRequest:
    """Raises ApiError (400) for anything OpenAI would refuse. Unknown parameters are accepted, and ignored."""
    try:
        asked = read_json(body)
    except ValueError as error:
        raise ApiError(400, f"We could not parse the JSON body of your request: {error}.") from None
    if not isinstance(asked, dict):
        raise ApiError(400, f"The JSON body of your request must be an object, but it is {_kind(asked)}.")
    stream = _boolean(asked, "stream", "stream")
    return ChatRequest(
        model=_model(asked), prompt_tokens=_prompt_tokens(asked), stream=stream, include_usage=_usage_wanted(asked, stream)
    )


def _model(asked: dict[str, Any]) -> str:
    model = asked.get("model", DEFAULT_MODEL)
    if not isinstance(model, str):
        raise _wrong_type("model", "a string", model)
    if not model:
        raise ApiError(400, "Invalid 'model': it is empty. Leave it out or name a model.", "model", "invalid_value")
    return model


def _usage_wanted(asked: dict[str, Any], stream: bool) -> bool:
    options = asked.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        raise _wrong_type("stream_options", "an object", options)
    if not stream:
        raise ApiError(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    return _boolean(options, "include_usage", "stream_options.include_usage")


def _boolean(members: dict[str, Any], key: str, param: str) -> bool:
    value = members.get(key)
    if value is not None and not isinstance(value, bool):
        raise _wrong_type(param, "a boolean", value)
    return bool(value)


def _prompt_tokens(asked: dict[str, Any]) -> int:
    if "messages" not in asked:
        raise _missing("messages")
    messages = asked["messages"]
    if not isinstance(messages, list):
        raise _wrong_type("messages", "an array", messages)
    if not messages:
        raise ApiError(400, "Invalid 'messages': expected at least one message.", "messages", "empty_array")
    words = sum(_words(message, f"messages[{index}]") for index, message in enumerate(messages))
    return max(1, int(words * TOKENS_PER_WORD))


def _words(message: Any, param: str) -> int:
    if not isinstance(message, dict):
        raise _wrong_type(param, "an object", message)
    if "role" not in message:
        raise _missing(f"{param}.role")
    role = message["role"]
    if not isinstance(role, str):
        raise _wrong_type(f"{param}.role", "a string", role)
    if role not in ROLES:
        raise ApiError(400, f"Invalid value: {role[:80]!r}. Supported values are: {ROLES}.", f"{param}.role", "invalid_value")
    content = message.get("content")
    if isinstance(content, str):
        return len(content.split())
    if isinstance(content, list):
        return sum(_part_words(part, f"{param}.content[{index}]") for index, part in enumerate(content))
    if content is None and role == "assistant":
        return 0
    raise _wrong_type(f"{param}.content", "a string or an array of parts", content)


def _part_words(part: Any, param: str) -> int:
    if not isinstance(part, dict):
        raise _wrong_type(param, "an object", part)
    if not isinstance(part.get("type"), str):
        raise _wrong_type(f"{param}.type", "a string", part.get("type"))
    if part["type"] != "text":
        return 0
    if not isinstance(part.get("text"), str):
        raise _wrong_type(f"{param}.text", "a string", part.get("text"))
    return len(part["text"].split())


def _missing(param: str) -> ApiError:
    return ApiError(400, f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def _wrong_type(param: str, expected: str, value: Any) -> ApiError:
    message = f"Invalid type for '{param}': expected {expected}, but got {_kind(value)} instead."
    return ApiError(400, message, param, "invalid_type")


def _kind(value: Any) -> str:
    kinds = {bool: "a boolean", int: "an integer", float: "a number", str: "a string", list: "an array", dict: "an object"}
    return kinds.get(type(value), "null")
