"""How each fault is played in place of an answer."""

from collections.abc import Iterable
from itertools import islice
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from mock_llm.answers import DONE, Answer
from mock_llm.chat_request import ChatRequest
from mock_llm.connection import BrokenOff, EventStream, Reset, Silence, is_gone
from mock_llm.errors import ApiError
from mock_llm.faults import Fault
from mock_llm.ledger import Account

PATIENCE = 600
"""Seconds that a client is kept waiting by `timeout`."""
_BROKEN_EVENT = b'data: {"id":"chatcmpl-\n\n'


def faulty_answer(fault: Fault, answer: Answer, asked: ChatRequest, request: Request, account: Account) -> Response:
    """Raises ApiError where the fault is a refusal. Usage that is reported is entered into the account."""
    match fault:
        case Fault.RATE_LIMITED | Fault.SERVER_ERROR | Fault.OVERLOADED:
            raise _refusal(fault, asked.model)
        case Fault.TIMEOUT:
            return Silence(PATIENCE)
        case Fault.RESET:
            return Reset()
        case Fault.CUT:
            return _cut(answer, asked)
        case Fault.MALFORMED:
            return _malformed(answer, asked)
        case Fault.NO_USAGE:
            return _without_usage(answer, asked)
        case Fault.EMPTY:
            return _empty(answer, asked, request, account)


def _refusal(fault: Literal[Fault.RATE_LIMITED, Fault.SERVER_ERROR, Fault.OVERLOADED], model: str) -> ApiError:
    match fault:
        case Fault.RATE_LIMITED:
            limit = "on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 0s."
            headers = {
                "retry-after": "0",
                "x-ratelimit-limit-requests": "3",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "0s",
            }
            message = f"Rate limit reached for {model[:80]} {limit}"
            return ApiError(429, message, code="rate_limit_exceeded", kind="requests", headers=headers)
        case Fault.SERVER_ERROR:
            return ApiError(
                500, "The server had an error while processing your request. Sorry about that!", kind="server_error"
            )
        case Fault.OVERLOADED:
            message = "The engine is currently overloaded, please try again later."
            return ApiError(503, message, kind="server_error", headers={"retry-after": "1"})


def _cut(answer: Answer, asked: ChatRequest) -> Response:
    if asked.stream:
        return BrokenOff(_first_half(answer, asked), None, EventStream.media_type)
    document = answer.document()
    return BrokenOff([_half(document)], len(document), "application/json")


def _malformed(answer: Answer, asked: ChatRequest) -> Response:
    if asked.stream:
        return _stream([*_first_half(answer, asked), _BROKEN_EVENT])
    return _json(_half(answer.document()))


def _without_usage(answer: Answer, asked: ChatRequest) -> Response:
    return _stream(answer.events(include_usage=False)) if asked.stream else _json(answer.document_without_usage())


def _empty(answer: Answer, asked: ChatRequest, request: Request, account: Account) -> Response:
    nothing = answer._replace(completion_tokens=0)

    def enter() -> None:
        account.enter(nothing.prompt_tokens, nothing.completion_tokens)

    if asked.stream:
        return EventStream((), (nothing.usage_event(), enter) if asked.include_usage else None, DONE)
    if not is_gone(request.receive):
        enter()
    return _json(nothing.empty_document())


def _first_half(answer: Answer, asked: ChatRequest) -> Iterable[bytes]:
    return islice(answer.events(asked.include_usage), max(1, len(answer.reply.deltas) // 2))


def _half(document: bytes) -> bytes:
    """Ends before the usage, which stands at a document's end and is shorter than what stands before it."""
    return document[: len(document) // 2]


def _json(document: bytes) -> Response:
    return Response(document, media_type="application/json")


def _stream(events: Iterable[bytes]) -> Response:
    return EventStream(events, None, DONE)
