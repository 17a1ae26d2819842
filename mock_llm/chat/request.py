"""What a chat completion request asks for; the rules and the wording of refusals are those of OpenAI's API reference.

There an optional parameter that is null is one that is absent.
"""

import json
from hashlib import blake2b
from typing import Any, NamedTuple

from mock_llm.chat.messages import read_conversation
from mock_llm.chat.parameters import check_parameters, choices_of, is_fixed, out_of_range, stops_of
from mock_llm.chat.response_format import chat_content
from mock_llm.chat.room import Room
from mock_llm.chat.tool_calls import ToolCall, calls_for, introduction
from mock_llm.chat.tools import read_toolbox
from mock_llm.errors import ApiError, kind_of, wrong_type
from mock_llm.models_file import LONGEST_NAME
from mock_llm.strict_json import read_json

TOKENS_PER_WORD = 1.3
_ESSENTIAL = frozenset({"model", "messages"})


class ChatRequest(NamedTuple):
    model: str | None
    """None where the request leaves it to the mock; null is as good as nothing."""
    prompt_tokens: int
    stream: bool = False
    include_usage: bool = False
    text: str = ""
    """Of the last user message."""
    max_tokens: int | None = None
    """Of each choice."""
    calls: tuple[ToolCall, ...] = ()
    """The tools to call in place of an essay."""
    introduction: str = ""
    """What stands before the essay; may be empty."""
    content: str | None = None
    """What is said in place of both, where JSON is asked for."""
    choices: int = 1
    stop: tuple[str, ...] = ()
    """The text ends before the first of these in it."""
    fixed: bytes | None = None
    """Stands for all that matters of a request whose answer is to be the same each time."""


def read_chat_request(body: bytes) -> ChatRequest:
    """Raises ApiError (400) for anything OpenAI would refuse. Unknown parameters are accepted, and ignored."""
    asked = read_object(body)
    check_parameters(asked)
    conversation = read_conversation(asked)
    prompt_tokens = max(1, int(conversation.words * TOKENS_PER_WORD))
    said_last = introduction(conversation) if conversation.results else ""
    if asked.keys() <= _ESSENTIAL:  # All the rest has its default, and need not be looked for.
        return ChatRequest(read_model(asked), prompt_tokens, text=conversation.text, introduction=said_last)
    stream = _boolean(asked, "stream", "stream")
    toolbox = read_toolbox(asked)
    choices = choices_of(asked)
    room = Room(choices, streams=stream)
    calls = room.holding(calls_for(toolbox, conversation)) if toolbox.tools else ()
    content = chat_content(asked)
    if said_last or content:
        room.take(said_last if content is None else content)
    return ChatRequest(
        model=read_model(asked),
        prompt_tokens=prompt_tokens,
        stream=stream,
        include_usage=_usage_wanted(asked, stream),
        text=conversation.text,
        max_tokens=_max_tokens(asked),
        calls=calls,
        introduction=said_last,
        content=content,
        choices=choices,
        stop=stops_of(asked),
        fixed=_fixed(asked) if is_fixed(asked) else None,
    )


def read_object(body: bytes) -> dict[str, Any]:
    """Raises ApiError (400) for a body that is anything but a JSON object."""
    try:
        asked = read_json(body)
    except ValueError as error:
        raise ApiError(400, f"We could not parse the JSON body of your request: {error}.") from None
    if not isinstance(asked, dict):
        raise ApiError(400, f"The JSON body of your request must be an object, but it is {kind_of(asked)}.")
    return asked


def read_model(asked: dict[str, Any]) -> str | None:
    model = asked.get("model")
    if model is None:
        return None
    if not isinstance(model, str):
        raise wrong_type("model", "a string", model)
    if not model:
        raise ApiError(400, "Invalid 'model': it is empty. Leave it out or name a model.", "model", "invalid_value")
    if len(model) > LONGEST_NAME:
        message = f"Invalid 'model': string too long. Expected at most {LONGEST_NAME} characters, but got {len(model)}."
        raise ApiError(400, message, "model", "string_above_max_length")
    return model


def _fixed(asked: dict[str, Any]) -> bytes:
    """How an answer is handed over does not change what it says."""
    what = {param: value for param, value in asked.items() if param not in ("stream", "stream_options")}
    try:
        canonical = json.dumps(what, sort_keys=True)
    except RecursionError:
        raise ApiError(400, "We could not read the JSON body of your request: it is nested too deeply.") from None
    return blake2b(canonical.encode(), digest_size=16).digest()


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
        raise out_of_range(param, "integer", limit, 1, None)
    return limit
