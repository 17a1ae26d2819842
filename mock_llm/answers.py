"""An answer as bytes: one JSON document, or the events of a stream."""

from collections.abc import Iterator
from typing import NamedTuple

from mock_llm.replies import Reply, encode

DONE = b"data: [DONE]\n\n"


class Answer(NamedTuple):
    """One answer to one request. `created` is in seconds since 1970."""

    answer_id: str
    created: int
    model: str
    reply: Reply
    prompt_tokens: int
    completion_tokens: int

    def document(self) -> bytes:
        """The answer as OpenAI's `chat.completion` object."""
        return b"%b,%b}" % (self._choice(), self._usage())

    def document_without_usage(self) -> bytes:
        return self._choice() + b"}"

    def empty_document(self) -> bytes:
        return b'%b,"choices":[],%b}' % (self._head(b"chat.completion"), self._usage())

    def events(self, include_usage: bool) -> Iterator[bytes]:
        """The `chat.completion.chunk` events up to the one with `finish_reason`; where usage is to follow it is null here."""
        head = b"data: " + self._head(b"chat.completion.chunk")
        usage = b',"usage":null' if include_usage else b""
        chunk = b'%b,"choices":[{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}]%b}\n\n'
        for delta in self.reply.deltas:
            yield chunk % (head, delta, b"null", usage)
        yield chunk % (head, b"{}", b'"%b"' % self.reply.finish_reason, usage)

    def usage_event(self) -> bytes:
        """The event that `stream_options.include_usage` asks for: usage, and no choices."""
        return b'data: %b,"choices":[],%b}\n\n' % (self._head(b"chat.completion.chunk"), self._usage())

    def _choice(self) -> bytes:
        return b'%b,"choices":[{"index":0,"message":%b,"logprobs":null,"finish_reason":"%b"}]' % (
            self._head(b"chat.completion"),
            self.reply.message,
            self.reply.finish_reason,
        )

    def _head(self, kind: bytes) -> bytes:
        return b'{"id":"%b","object":"%b","created":%d,"model":%b' % (
            self.answer_id.encode(),
            kind,
            self.created,
            encode(self.model),
        )

    def _usage(self) -> bytes:
        return b'"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}' % (
            self.prompt_tokens,
            self.completion_tokens,
            self.prompt_tokens + self.completion_tokens,
        )
