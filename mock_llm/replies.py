"""What the assistant says: an essay, an essay behind what a tool said, or calls of tools; whole, or cut at a number of tokens.

Encoded as bytes: as one `message`, and as the `delta`s whose pieces joined are that message. The bare essays are encoded once,
at import.
"""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from mock_llm.chat_request import ChatRequest
from mock_llm.draws import Draw
from mock_llm.essays import ESSAYS
from mock_llm.tool_calls import ToolCall

WORDS_PER_CHUNK = 8
CHARACTERS_PER_CHUNK = 40
TOKENS_PER_CALL = 20

_ENCODER = json.JSONEncoder(separators=(",", ":"))


class Reply(NamedTuple):
    message: bytes
    deltas: Sequence[bytes]
    finish_reason: bytes


def reply_to(asked: ChatRequest, draw: Draw) -> tuple[Reply, int]:
    """With its completion tokens: never more than the request allows, and cut in proportion where it would have been more."""
    whole = TOKENS_PER_CALL * len(asked.calls) or draw.completion_tokens
    tokens = whole if asked.max_tokens is None else min(whole, asked.max_tokens)
    if asked.calls:
        return _call_reply(asked.calls, draw.answer_id, tokens), tokens
    if tokens == whole and not asked.introduction:
        return ESSAY_REPLIES[draw.essay], tokens
    text = f"{asked.introduction}\n\n{ESSAYS[draw.essay]}" if asked.introduction else ESSAYS[draw.essay]
    if tokens == whole:
        return text_reply(text), tokens
    words = _words(text)
    return text_reply("".join(words[: max(1, len(words) * tokens // whole)]), b"length"), tokens


def encode(value: object) -> bytes:
    return _ENCODER.encode(value).encode()


def pieces(text: str) -> list[str]:
    """The text cut after every few words, with its white space, so that the pieces joined are the text."""
    words = _words(text)
    return ["".join(words[start : start + WORDS_PER_CHUNK]) for start in range(0, len(words), WORDS_PER_CHUNK)]


def text_reply(text: str, finish_reason: bytes = b"stop") -> Reply:
    message = encode({"role": "assistant", "content": text, "refusal": None})
    first = encode({"role": "assistant", "content": "", "refusal": None})
    return Reply(message, [first, *(encode({"content": piece}) for piece in pieces(text))], finish_reason)


def _words(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)


ESSAY_REPLIES = [text_reply(essay) for essay in ESSAYS]


def _call_reply(calls: Sequence[ToolCall], answer_id: str, tokens: int) -> Reply:
    """Where there are too few tokens the last call's arguments break off, and calls behind it are missing, as with OpenAI."""
    finish_reason = b"tool_calls" if tokens == TOKENS_PER_CALL * len(calls) else b"length"
    said = []
    for index, call in enumerate(calls[: -(-tokens // TOKENS_PER_CALL)]):
        share = min(TOKENS_PER_CALL, tokens - TOKENS_PER_CALL * index)
        arguments = call.arguments[: len(call.arguments) * share // TOKENS_PER_CALL]
        said.append((f"call_{answer_id.removeprefix('chatcmpl-')}{index:02d}", call.name, arguments))
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call_id, name, arguments in said
        ],
        "refusal": None,
    }
    deltas = [encode({"role": "assistant", "content": None, "refusal": None})]
    for index, (call_id, name, arguments) in enumerate(said):
        deltas.extend(_call_deltas(index, call_id, name, arguments))
    return Reply(encode(message), deltas, finish_reason)


def _call_deltas(index: int, call_id: str, name: str, arguments: str) -> list[bytes]:
    opening = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    rest = [
        {"index": index, "function": {"arguments": arguments[start : start + CHARACTERS_PER_CHUNK]}}
        for start in range(0, len(arguments), CHARACTERS_PER_CHUNK)
    ]
    return [encode({"tool_calls": [call]}) for call in (opening, *rest)]
