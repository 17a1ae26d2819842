"""What was said, encoded as one choice of a chat completion: as its `message`, and as the `delta`s whose pieces joined are
that message. The bare essays are encoded once, at import.
"""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mock_llm.essays import ESSAYS
from mock_llm.sayings import STOP, Said, words_of

WORDS_PER_CHUNK = 8
CHARACTERS_PER_CHUNK = 40

_ENCODER = json.JSONEncoder(separators=(",", ":"))


class Reply(NamedTuple):
    """`rest` is the choice behind its index, in a document."""

    rest: bytes
    opening: bytes
    pieces: Sequence[bytes]
    finish_reason: bytes


def reply(said: Said, answer_id: str, first_call: int) -> Reply:
    """The answer's calls are numbered from `first_call`."""
    if said.calls:
        return _call_reply(said, answer_id, first_call)
    if said.finish_reason == STOP and (encoded := ESSAY_REPLIES.get(said.text)):
        return encoded
    return _text_reply(said.text, said.finish_reason)


def encode(value: object) -> bytes:
    return _ENCODER.encode(value).encode()


def pieces(text: str) -> list[str]:
    """The text cut after every few words, with its white space, so that the pieces joined are the text."""
    words = words_of(text)
    return ["".join(words[start : start + WORDS_PER_CHUNK]) for start in range(0, len(words), WORDS_PER_CHUNK)]


def _text_reply(text: str, finish_reason: str) -> Reply:
    message = {"role": "assistant", "content": text, "refusal": None}
    opening = encode({"role": "assistant", "content": "", "refusal": None})
    deltas = [encode({"content": piece}) for piece in pieces(text)]
    return Reply(_rest(message, finish_reason), opening, deltas, encode(finish_reason))


def _rest(message: Mapping[str, object], finish_reason: str) -> bytes:
    return b'"message":%b,"logprobs":null,"finish_reason":%b}' % (encode(message), encode(finish_reason))


ESSAY_REPLIES = {essay: _text_reply(essay, STOP) for essay in ESSAYS}


def _call_reply(said: Said, answer_id: str, first_call: int) -> Reply:
    calls = [(f"call_{answer_id}{number:02d}", call.name, call.arguments) for number, call in enumerate(said.calls, first_call)]
    message: dict[str, object] = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call_id, name, arguments in calls
        ],
        "refusal": None,
    }
    deltas: list[bytes] = []
    for index, (call_id, name, arguments) in enumerate(calls):
        deltas.extend(_call_deltas(index, call_id, name, arguments))
    opening = encode({"role": "assistant", "content": None, "refusal": None})
    return Reply(_rest(message, said.finish_reason), opening, deltas, encode(said.finish_reason))


def _call_deltas(index: int, call_id: str, name: str, arguments: str) -> list[bytes]:
    opening = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    rest = [
        {"index": index, "function": {"arguments": arguments[start : start + CHARACTERS_PER_CHUNK]}}
        for start in range(0, len(arguments), CHARACTERS_PER_CHUNK)
    ]
    return [encode({"tool_calls": [call]}) for call in (opening, *rest)]
