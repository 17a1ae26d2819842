"""The answer that a turn gets: the one that was asked for, or its fault in place of it."""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from starlette.types import ASGIApp

from mock_llm.connection import BrokenOff, Reset, Silence
from mock_llm.delivery import Stream, Streamed, Whole
from mock_llm.errors import ApiError
from mock_llm.faults import Fault
from mock_llm.mock import Turn
from mock_llm.usage import Usage

PATIENCE = 600
"""Seconds that a client is kept waiting by `timeout`."""
_BROKEN_EVENT = b'data: {"id":"\n\n'

FormT = TypeVar("FormT")


class Forms(NamedTuple, Generic[FormT]):
    """An answer as it should be, and as some faults make it. Each is made only when it is wanted."""

    whole: Callable[[], FormT]
    without_usage: Callable[[], FormT]
    empty: Callable[[], FormT]
    """Has no output, and tells a usage without completion tokens."""


def answer_whole(turn: Turn, usage: Usage, forms: Forms[bytes]) -> ASGIApp:
    """A JSON document. Raises ApiError where the fault is a refusal."""
    match turn.fault:
        case None:
            return Whole(turn, forms.whole(), usage, usage)
        case Fault.NO_USAGE:
            return Whole(turn, forms.without_usage(), usage, None)
        case Fault.EMPTY:
            nothing = usage._replace(completion_tokens=0)
            return Whole(turn, forms.empty(), nothing, nothing)
        case Fault.CUT:
            turn.call.answered(None)
            document = forms.whole()
            return BrokenOff([_half(document)], len(document), "application/json")
        case Fault.MALFORMED:
            return Whole(turn, _half(forms.whole()), usage, None)
        case fault:
            return _no_answer(fault, turn)


def answer_stream(turn: Turn, usage: Usage, forms: Forms[Stream]) -> ASGIApp:
    """Server-sent events. Raises ApiError where the fault is a refusal."""
    match turn.fault:
        case None:
            return Streamed(turn, forms.whole(), usage)
        case Fault.NO_USAGE:
            return Streamed(turn, forms.without_usage(), usage)
        case Fault.EMPTY:
            return Streamed(turn, forms.empty(), usage._replace(completion_tokens=0))
        case Fault.CUT:
            turn.call.answered(None)
            return BrokenOff(_first_half(forms.whole()), None, "text/event-stream")
        case Fault.MALFORMED:
            stream = forms.whole()
            return Streamed(turn, Stream(_first_half(stream), (), (_BROKEN_EVENT,), None, stream.end), usage)
        case fault:
            return _no_answer(fault, turn)


def _no_answer(fault: Fault, turn: Turn) -> ASGIApp:
    """Raises ApiError where the fault is a refusal."""
    match fault:
        case Fault.TIMEOUT:
            turn.call.answered(None)
            return Silence(PATIENCE)
        case Fault.RESET:
            turn.call.answered(None)
            return Reset()
        case Fault.RATE_LIMITED:
            raise _rate_limited(turn.model)
        case Fault.OVERLOADED:
            message = "The engine is currently overloaded, please try again later."
            raise ApiError(503, message, kind="server_error", headers={"retry-after": "1"})
        case _:
            message = "The server had an error while processing your request. Sorry about that!"
            raise ApiError(500, message, kind="server_error")


def _rate_limited(model: str) -> ApiError:
    limit = "on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 0s."
    headers = {
        "retry-after": "0",
        "x-ratelimit-limit-requests": "3",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "0s",
    }
    message = f"Rate limit reached for {model[:80]} {limit}"
    return ApiError(429, message, code="rate_limit_exceeded", kind="requests", headers=headers)


def _half(document: bytes) -> bytes:
    """Or less: it ends before the usage, which stands at a document's end."""
    return document[: min(len(document) // 2, document.rfind(b'"usage":'))]


def _first_half(stream: Stream) -> Sequence[bytes]:
    said = (*stream.opening, *stream.pieces)
    return said[: max(1, len(said) // 2)]
