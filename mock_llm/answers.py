"""An answer as bytes: one JSON document, or the events of a stream. The essays' parts are encoded once, at import."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mock_llm.essays import ESSAYS

WORDS_PER_CHUNK = 8
DONE = b"data: [DONE]\n\n"


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def pieces(essay: str) -> list[str]:
    """The essay cut after every few words, with its white space, so that the pieces joined are the essay."""
    words = re.findall(r"\S+\s*", essay)
    return ["".join(words[start : start + WORDS_PER_CHUNK]) for start in range(0, len(words), WORDS_PER_CHUNK)]


_MESSAGES = [_encode({"role": "assistant", "content": essay, "refusal": None}) for essay in ESSAYS]
_FIRST_DELTA = _encode({"role": "assistant", "content": "", "refusal": None})
_DELTAS = [[_FIRST_DELTA, *(_encode({"content": piece}) for piece in pieces(essay))] for essay in ESSAYS]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to one request. `essay` is an index into ESSAYS, `created` is in seconds since 1970."""

    answer_id: str
    created: int
    model: str
    essay: int
    prompt_tokens: int
    completion_tokens: int

    def document(self) -> bytes:
        """The answer as OpenAI's `chat.completion` object."""
        return b'%b,"choices":[{"index":0,"message":%b,"logprobs":null,"finish_reason":"stop"}],%b}' % (
            self._head(b"chat.completion"),
            _MESSAGES[self.essay],
            self._usage(),
        )

    def events(self, include_usage: bool) -> Iterator[bytes]:
        """The `chat.completion.chunk` events up to the one with `finish_reason`; where usage is to follow it is null here."""
        head = b"data: " + self._head(b"chat.completion.chunk")
        usage = b',"usage":null' if include_usage else b""
        chunk = b'%b,"choices":[{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}]%b}\n\n'
        for delta in _DELTAS[self.essay]:
            yield chunk % (head, delta, b"null", usage)
        yield chunk % (head, b"{}", b'"stop"', usage)

    def usage_event(self) -> bytes:
        """The event that `stream_options.include_usage` asks for: usage, and no choices."""
        return b'data: %b,"choices":[],%b}\n\n' % (self._head(b"chat.completion.chunk"), self._usage())

    def _head(self, kind: bytes) -> bytes:
        return b'{"id":"%b","object":"%b","created":%d,"model":%b' % (
            self.answer_id.encode(),
            kind,
            self.created,
            _encode(self.model),
        )

    def _usage(self) -> bytes:
        return b'"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}' % (
            self.prompt_tokens,
            self.completion_tokens,
            self.prompt_tokens + self.completion_tokens,
        )
