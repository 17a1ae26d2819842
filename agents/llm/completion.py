"""What the LLM said, as OpenAI's API writes it: read from one document, or put together from the chunks of a stream."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.outcomes import Answered, Meter, ToolCall, ToolsCalled
from agents.usage import Usage, tokens

MOST_CALLS = 16
"""Tools that one answer may call; what a model calls beyond them is left out."""


def read_document(document: object, meter: Meter) -> Answered | ToolsCalled | None:
    """None where the document holds neither a text nor a tool that is called."""
    message = _first(_member(document, "choices")).get("message")
    message = message if isinstance(message, dict) else {}
    calls = [_call(call) for call in _list(message.get("tool_calls"))[:MOST_CALLS]]
    return _said(_text(message.get("content")), [call for call in calls if call], read_usage(document), meter)


def read_usage(document: object) -> Usage | None:
    usage = _member(document, "usage")
    if not isinstance(usage, dict):
        return None
    prompt, completion = tokens(usage.get("prompt_tokens")), tokens(usage.get("completion_tokens"))
    total = usage.get("total_tokens")
    return Usage(prompt, completion, tokens(total) if total is not None else prompt + completion)


@dataclass
class _Call:
    call_id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class Assembly:
    """A stream's chunks, put together. `ended` once the LLM has said why it stopped: only then the answer is whole."""

    def __init__(self) -> None:
        self.ended = False
        self.size = 0
        self.usage: Usage | None = None
        self._texts: list[str] = []
        self._calls: dict[int, _Call] = {}

    def add(self, chunk: object) -> str:
        """The words that the chunk adds."""
        self.usage = read_usage(chunk) or self.usage
        choice = _first(_member(chunk, "choices"))
        self.ended = self.ended or isinstance(choice.get("finish_reason"), str)
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        for position, piece in enumerate(_list(delta.get("tool_calls"))):
            self._add_call(piece, position)
        words = _text(delta.get("content"))
        if words:
            self._texts.append(words)
            self.size += len(words)
        return words

    def end(self) -> None:
        """The stream says itself that it is over: some leave out why the LLM stopped."""
        self.ended = True

    @property
    def text(self) -> str:
        return "".join(self._texts)

    def outcome(self, meter: Meter) -> Answered | ToolsCalled | None:
        pieces = self._calls.values()
        calls = [ToolCall(call.call_id, call.name, "".join(call.arguments)) for call in pieces if call.call_id and call.name]
        return _said(self.text, calls, self.usage, meter)

    def _add_call(self, piece: object, position: int) -> None:
        if not isinstance(piece, dict):
            return
        index = piece.get("index", position)
        if not isinstance(index, int) or (index not in self._calls and len(self._calls) >= MOST_CALLS):
            return
        call = self._calls.setdefault(index, _Call())
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        call.call_id = call.call_id or _text(piece.get("id"))
        call.name = call.name or _text(function.get("name"))
        arguments = _text(function.get("arguments"))
        call.arguments.append(arguments)
        self.size += len(arguments)


def _said(text: str, calls: Sequence[ToolCall], usage: Usage | None, meter: Meter) -> Answered | ToolsCalled | None:
    if calls:
        return ToolsCalled(text, tuple(calls), usage, meter)
    return Answered(text, usage, meter) if text.strip() else None


def _call(call: object) -> ToolCall | None:
    function = _member(call, "function")
    call_id, name = _text(_member(call, "id")), _text(_member(function, "name"))
    return ToolCall(call_id, name, _text(_member(function, "arguments"))) if call_id and name else None


def _member(document: object, name: str) -> object:
    return document.get(name) if isinstance(document, dict) else None


def _first(values: object) -> Mapping[str, Any]:
    first = _list(values)[:1]
    return first[0] if first and isinstance(first[0], dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
