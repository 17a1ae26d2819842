"""A chat completion as bytes: one JSON document, or the events of a stream."""

from itertools import chain, zip_longest
from typing import NamedTuple

from mock_llm.chat.pieces import encode
from mock_llm.chat.replies import Reply
from mock_llm.delivery import Stream
from mock_llm.usage import Usage

DONE = b"data: [DONE]\n\n"
_HEAD = b'{"id":"chatcmpl-%b","object":"%b","created":%d,"model":%b,"service_tier":"default","system_fingerprint":"fp_mock"'
_USAGE = (
    b'"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
    b'"prompt_tokens_details":{"cached_tokens":%d,"audio_tokens":0},'
    b'"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,'
    b'"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
)


class Answer(NamedTuple):
    """One answer to one request. `created` is in seconds since 1970."""

    answer_id: str
    created: int
    model: str
    replies: tuple[Reply, ...]
    usage: Usage
    tells_usage: bool
    """Whether a stream does; a document always does."""

    def document(self) -> bytes:
        """The answer as OpenAI's `chat.completion` object."""
        return b"%b,%b,%b}" % (self._head(b"chat.completion"), self._choices(), _usage(self.usage))

    def document_without_usage(self) -> bytes:
        return b"%b,%b}" % (self._head(b"chat.completion"), self._choices())

    def empty_document(self) -> bytes:
        return b'%b,"choices":[],%b}' % (self._head(b"chat.completion"), _usage(self._nothing()))

    def stream(self) -> Stream:
        """`chat.completion.chunk` events, those of several choices in turn. Where usage is to follow it is null in them."""
        return self._events(b',"usage":null' if self.tells_usage else b"")._replace(usage=self._usage_event(self.usage))

    def stream_without_usage(self) -> Stream:
        return self._events(b"")

    def empty_stream(self) -> Stream:
        return Stream((), (), (), self._usage_event(self._nothing()), DONE)

    def _events(self, usage: bytes) -> Stream:
        head = b"data: " + self._head(b"chat.completion.chunk")
        template = b'%b,"choices":[{"index":%d,"delta":%b,"logprobs":null,"finish_reason":%b}]%b}\n\n'

        def chunk(index: int, delta: bytes, finish_reason: bytes = b"null") -> bytes:
            return template % (head, index, delta, finish_reason, usage)

        numbered = list(enumerate(self.replies))
        said = [[chunk(index, piece) for piece in reply.pieces] for index, reply in numbered]
        return Stream(
            opening=[chunk(index, reply.opening) for index, reply in numbered],
            pieces=[event for event in chain.from_iterable(zip_longest(*said)) if event is not None],
            closing=[chunk(index, b"{}", reply.finish_reason) for index, reply in numbered],
            usage=None,
            end=DONE,
        )

    def _usage_event(self, usage: Usage) -> bytes | None:
        """The event that `stream_options.include_usage` asks for: usage, and no choices."""
        if not self.tells_usage:
            return None
        return b'data: %b,"choices":[],%b}\n\n' % (self._head(b"chat.completion.chunk"), _usage(usage))

    def _nothing(self) -> Usage:
        return self.usage._replace(completion_tokens=0)

    def _choices(self) -> bytes:
        if len(self.replies) == 1:
            return b'"choices":[{"index":0,%b]' % self.replies[0].rest
        return b'"choices":[%b]' % b",".join(
            b'{"index":%d,%b' % (index, reply.rest) for index, reply in enumerate(self.replies)
        )

    def _head(self, kind: bytes) -> bytes:
        return _HEAD % (
            self.answer_id.encode(),
            kind,
            self.created,
            encode(self.model),
        )


def _usage(usage: Usage) -> bytes:
    prompt, completion, cached = usage
    return _USAGE % (prompt, completion, prompt + completion, cached)
