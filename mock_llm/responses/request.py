"""What a responses request asks for, in the terms of chat completions, so that both say the same."""

import json
from hashlib import blake2b
from typing import Any, NamedTuple

from mock_llm.chat.messages import Conversation
from mock_llm.chat.parameters import is_fixed
from mock_llm.chat.request import TOKENS_PER_WORD, ChatRequest, read_model
from mock_llm.chat.response_format import flat_content
from mock_llm.chat.room import Room
from mock_llm.chat.tool_calls import calls_for, introduction
from mock_llm.errors import ApiError
from mock_llm.responses.items import History, read_conversation, read_items
from mock_llm.responses.parameters import check_parameters
from mock_llm.responses.tools import read_flat_toolbox

_ABSENT = {"conversation": "Conversation", "prompt": "Prompt"}
"""What OpenAI keeps under an id and the mock does not."""
COPIES_IN_STREAM = 4
"""Of what a response says: in the pieces, and at the end of these, of the item and of the response."""
_OF_DELIVERY = ("metadata", "previous_response_id", "store", "stream", "stream_options")
"""Parameters that change nothing in what is said; what the previous response says stands in the history."""


class ResponsesRequest(NamedTuple):
    chat: ChatRequest
    items: list[dict[str, Any]]
    """Of the input."""
    history: History
    """With this turn's input, without its answer."""
    parameters: dict[str, Any]
    """The body."""

    @property
    def is_kept(self) -> bool:
        return self.parameters.get("store") is not False


def previous_response(asked: dict[str, Any]) -> str | None:
    """The id of the response that this one continues. Raises ApiError where the parameters are wrong."""
    check_parameters(asked)
    for param, what in _ABSENT.items():
        if asked.get(param) is not None:
            raise ApiError(404, f"{what} not found: the mock keeps none. Leave '{param}' out.", param)
    previous: str | None = asked.get("previous_response_id")
    return previous


def read_responses_request(asked: dict[str, Any], history: History) -> ResponsesRequest:
    """Of parameters that have been checked. Raises ApiError (400) for anything OpenAI would refuse.

    Unknown parameters are accepted, and ignored. `history` is that of the response which this one continues.
    """
    items = read_items(asked.get("input"))
    conversation = read_conversation(items, history)
    fixed = _fixed(asked, history) if is_fixed(asked) else None
    chat = _chat(asked, conversation)._replace(fixed=fixed)
    return ResponsesRequest(chat, items, History(conversation.words, conversation.text), asked)


def _chat(asked: dict[str, Any], conversation: Conversation) -> ChatRequest:
    toolbox = read_flat_toolbox(asked)
    stream = asked.get("stream") is True
    room = Room(copies=COPIES_IN_STREAM if stream else 1, streams=stream)
    calls = room.holding(calls_for(toolbox, conversation)) if toolbox.tools else ()
    said_last = introduction(conversation) if conversation.results else ""
    content = flat_content(asked)
    if said_last or content:
        room.take(said_last if content is None else content)
    words = conversation.words + len((asked.get("instructions") or "").split())
    return ChatRequest(
        model=read_model(asked),
        prompt_tokens=max(1, int(words * TOKENS_PER_WORD)),
        stream=stream,
        include_usage=True,
        text=conversation.text,
        max_tokens=asked.get("max_output_tokens"),
        calls=calls,
        introduction=said_last,
        content=content,
    )


def _fixed(asked: dict[str, Any], history: History) -> bytes:
    what = {param: value for param, value in asked.items() if param not in _OF_DELIVERY}
    return blake2b(json.dumps([what, history], sort_keys=True).encode(), digest_size=16).digest()
