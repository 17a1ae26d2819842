"""`POST /v1/responses`, and what was answered before: `GET` and `DELETE /v1/responses/{id}`, `GET .../input_items`."""

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from mock_llm.answering import Forms, answer_stream, answer_whole
from mock_llm.chat.pieces import encode
from mock_llm.chat.request import read_object
from mock_llm.chat.sayings import LENGTH, say
from mock_llm.endpoint import Endpoint, headers_of
from mock_llm.errors import ApiError
from mock_llm.faults import Fault
from mock_llm.ledger.ledger import Caller, caller_of
from mock_llm.mock import Call, Mock, Turn
from mock_llm.responses.answer import Answer
from mock_llm.responses.events import stream_of
from mock_llm.responses.input_items import kept_items, listed, read_page
from mock_llm.responses.items import History
from mock_llm.responses.output import history_after, output_items
from mock_llm.responses.request import ResponsesRequest, previous_response, read_responses_request
from mock_llm.responses.schema import ITEMS, ONE, OPERATIONS, PATH
from mock_llm.responses.store import Kept, Store

__all__ = ["OPERATIONS", "routes"]

_BROKEN = (Fault.CUT, Fault.MALFORMED)
"""The faults whose answers nobody can read to the end. They are not kept."""

FormT = TypeVar("FormT")


def routes(mock: Mock) -> list[BaseRoute]:
    responses = Responses(mock)
    return [
        Route(PATH, Endpoint(mock, PATH, responses.respond), methods=["POST"]),
        # One route for both, so that a refused method is told of both.
        Route(ONE, responses.one, methods=["GET", "DELETE"]),
        Route(ITEMS, responses.input_items, methods=["GET"]),
    ]


class Responses:
    """What the routes do, and the responses that they keep."""

    def __init__(self, mock: Mock) -> None:
        self._mock = mock
        self._store = Store()
        mock.on_reset(self._store.clear)

    def respond(self, call: Call) -> ASGIApp:
        try:
            return self._respond(call)
        except RecursionError:
            # What the reader took may be too much for the writer, which repeats it inside of a document of its own.
            raise ApiError(400, "We could not read the JSON body of your request: it is nested too deeply.") from None

    def _respond(self, call: Call) -> ASGIApp:
        body = read_object(call.body)
        asked = read_responses_request(body, self._history(call.account.caller, previous_response(body)))
        chat = asked.chat
        turn = call.begin(chat.model, chat.text, fixed=chat.fixed)
        (said,) = say(chat, turn)
        usage = turn.usage(chat.prompt_tokens, said.tokens)
        key = turn.draw.answer_id
        cut = said.finish_reason == LENGTH
        answer = Answer(key, int(self._mock.clock()), turn.model, output_items(said, key), usage, cut)
        if chat.stream:
            return answer_stream(turn, usage, self._forms(stream_of, turn, asked, answer))
        return answer_whole(turn, usage, self._forms(encode, turn, asked, answer))

    async def one(self, request: Request) -> Response:
        return self._delete(request) if request.method == "DELETE" else _json(self._find(request).document)

    async def input_items(self, request: Request) -> Response:
        page = read_page(request.query_params)
        return _json(listed(self._find(request).items, page))

    def _delete(self, request: Request) -> Response:
        """Raises ApiError (404)."""
        response_id = request.path_params["response_id"]
        if not self._store.remove(self._caller(request), response_id):
            raise _not_found(response_id)
        return _json(encode({"id": response_id, "object": "response", "deleted": True}))

    def _forms(
        self, form: Callable[[dict[str, Any]], FormT], turn: Turn, asked: ResponsesRequest, whole: Answer
    ) -> Forms[FormT]:
        def formed(answer: Answer) -> FormT:
            document = answer.document(asked.parameters)
            if asked.is_kept and turn.fault not in _BROKEN:
                self._keep(turn.call.account.caller, asked, answer, document)
            return form(document)

        return Forms(lambda: formed(whole), lambda: formed(whole.without_usage()), lambda: formed(whole.empty()))

    def _keep(self, caller: Caller, asked: ResponsesRequest, answer: Answer, document: dict[str, Any]) -> None:
        history = history_after(asked.history, answer.output)
        kept = Kept(encode(document), kept_items(asked.items, answer.key), history)
        self._store.keep(caller, answer.response_id, kept)

    def _history(self, caller: Caller, previous: str | None) -> History:
        """Raises ApiError (400) for a response that is not kept for this caller."""
        if previous is None:
            return History()
        kept = self._store.find(caller, previous)
        if kept is None:
            message = f"Previous response with id '{previous[:80]}' not found."
            raise ApiError(400, message, "previous_response_id", "previous_response_not_found")
        return kept.history

    def _find(self, request: Request) -> Kept:
        """Raises ApiError (404)."""
        response_id = request.path_params["response_id"]
        kept = self._store.find(self._caller(request), response_id)
        if kept is None:
            raise _not_found(response_id)
        return kept

    def _caller(self, request: Request) -> Caller:
        """As the ledger names it."""
        return self._mock.ledger.account(caller_of(headers_of(request.scope))).caller


def _not_found(response_id: str) -> ApiError:
    return ApiError(404, f"Response with id '{response_id[:80]}' not found.")


def _json(document: bytes) -> Response:
    return Response(document, media_type="application/json")
