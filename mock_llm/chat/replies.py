"""What was said, encoded as one choice of a chat completion: as its `message`, and as the `delta`s whose pieces joined are
that message. Each form is made when it is first wanted; those of the bare essays are made at import.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from mock_llm.chat.pieces import CHARACTERS_PER_CHUNK, encode, pieces
from mock_llm.chat.sayings import STOP, Said
from mock_llm.essays import ESSAYS


class TextReply:
    def __init__(self, text: str, finish_reason: str) -> None:
        self._text = text
        self.finish_reason = encode(finish_reason)

    @cached_property
    def rest(self) -> bytes:
        """The choice behind its index, in a document."""
        message: dict[str, object] = {"role": "assistant", "content": self._text, "refusal": None, "annotations": []}
        return _rest(message, self.finish_reason)

    @cached_property
    def opening(self) -> bytes:
        """The first delta."""
        return encode({"role": "assistant", "content": "", "refusal": None})

    @cached_property
    def pieces(self) -> Sequence[bytes]:
        """The deltas behind it."""
        return [encode({"content": piece}) for piece in pieces(self._text)]


class CallReply:
    """As a `TextReply`. The answer's calls are numbered from `first_call`."""

    def __init__(self, said: Said, answer_id: str, first_call: int) -> None:
        self._calls = [
            (f"call_{answer_id}{number:02d}", call.name, call.arguments) for number, call in enumerate(said.calls, first_call)
        ]
        self.finish_reason = encode(said.finish_reason)

    @cached_property
    def rest(self) -> bytes:
        calls = [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call_id, name, arguments in self._calls
        ]
        message = {"role": "assistant", "content": None, "tool_calls": calls, "refusal": None, "annotations": []}
        return _rest(message, self.finish_reason)

    @cached_property
    def opening(self) -> bytes:
        return encode({"role": "assistant", "content": None, "refusal": None})

    @cached_property
    def pieces(self) -> Sequence[bytes]:
        deltas: list[bytes] = []
        for index, (call_id, name, arguments) in enumerate(self._calls):
            deltas.extend(_call_deltas(index, call_id, name, arguments))
        return deltas


Reply: TypeAlias = TextReply | CallReply


def reply(said: Said, answer_id: str, first_call: int) -> Reply:
    """The answer's calls are numbered from `first_call`."""
    if said.calls:
        return CallReply(said, answer_id, first_call)
    if said.finish_reason == STOP and (encoded := ESSAY_REPLIES.get(said.text)):
        return encoded
    return TextReply(said.text, said.finish_reason)


def _rest(message: Mapping[str, object], finish_reason: bytes) -> bytes:
    return b'"message":%b,"logprobs":null,"finish_reason":%b}' % (encode(message), finish_reason)


def _call_deltas(index: int, call_id: str, name: str, arguments: str) -> list[bytes]:
    opening = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    rest = [
        {"index": index, "function": {"arguments": arguments[start : start + CHARACTERS_PER_CHUNK]}}
        for start in range(0, len(arguments), CHARACTERS_PER_CHUNK)
    ]
    return [encode({"tool_calls": [call]}) for call in (opening, *rest)]


def _essay_reply(essay: str) -> TextReply:
    encoded = TextReply(essay, STOP)
    # Asked for once, they stay.
    _ = encoded.rest, encoded.opening, encoded.pieces
    return encoded


ESSAY_REPLIES = {essay: _essay_reply(essay) for essay in ESSAYS}
