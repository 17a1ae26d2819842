"""What a chat completion request asks for; the rules and the wording of refusals are those of OpenAI's API reference.

There an optional parameter that is null is one that is absent.
"""

from typing import Any, NamedTuple

from mock_llm.errors import ApiError, kind_of, wrong_type
from mock_llm.messages import read_conversation
from mock_llm.strict_json import read_json
from mock_llm.tool_calls import ToolCall, calls_for, introduction
from mock_llm.tools import read_toolbox

DEFAULT_MODEL = "mock-essay-7b"
TOKENS_PER_WORD = 1.3


class ChatRequest(NamedTuple):
    model: str
    prompt_tokens: int
    stream: bool
    include_usage: bool
    text: str
    """Of the last user message."""
    max_tokens: int | None
    calls: tuple[ToolCall, ...]
    """The tools to call in place of an essay."""
    introduction: str
    """What stands before the essay; may be empty."""


def read_chat_request(body: bytes) -> ChatRequest:
    """Raises ApiError (400) for anything OpenAI would refuse. Unknown parameters are accepted, and ignored."""
    try:
        asked = read_json(body)
    except ValueError as error:
        raise ApiError(400, f"We could not parse the JSON body of your request: {error}.") from None
    if not isinstance(asked, dict):
        raise ApiError(400, f"The JSON body of your request must be an object, but it is {kind_of(asked)}.")
    stream = _boolean(asked, "stream", "stream")
    model = _model(asked)
    conversation = read_conversation(asked)
    toolbox = read_toolbox(asked)
    return ChatRequest(
        model=model,
        prompt_tokens=max(1, int(conversation.words * TOKENS_PER_WORD)),
        stream=stream,
        include_usage=_usage_wanted(asked, stream),
        text=conversation.text,
        max_tokens=_max_tokens(asked),
        calls=calls_for(toolbox, conversation) if toolbox.tools else (),
        introduction=introduction(conversation) if conversation.results else "",
    )


def _model(asked: dict[str, Any]) -> str:
    model = asked.get("model", DEFAULT_MODEL)
    if not isinstance(model, str):
        raise wrong_type("model", "a string", model)
    if not model:
        raise ApiError(400, "Invalid 'model': it is empty. Leave it out or name a model.", "model", "invalid_value")
    return model


def _usage_wanted(asked: dict[str, Any], stream: bool) -> bool:
    options = asked.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        raise wrong_type("stream_options", "an object", options)
    if not stream:
        raise ApiError(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    return _boolean(options, "include_usage", "stream_options.include_usage")


def _boolean(members: dict[str, Any], key: str, param: str) -> bool:
    value = members.get(key)
    if value is not None and not isinstance(value, bool):
        raise wrong_type(param, "a boolean", value)
    return bool(value)


def _max_tokens(asked: dict[str, Any]) -> int | None:
    older = _token_limit(asked, "max_tokens")
    newer = _token_limit(asked, "max_completion_tokens")
    if older is not None and newer is not None:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise ApiError(400, message, "max_tokens", "invalid_parameter_combination")
    return older if newer is None else newer


def _token_limit(asked: dict[str, Any], param: str) -> int | None:
    limit = asked.get(param)
    if limit is None:
        return None
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise wrong_type(param, "an integer", limit)
    if limit < 1:
        message = f"Invalid '{param}': integer below minimum value. Expected a value >= 1, but got {limit} instead."
        raise ApiError(400, message, param, "integer_below_min_value")
    return limit
