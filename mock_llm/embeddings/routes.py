"""`POST /v1/embeddings`."""

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from mock_llm.answering import Forms, answer_whole
from mock_llm.chat.request import read_model, read_object
from mock_llm.embeddings.answer import embeddings_document, empty_document
from mock_llm.embeddings.request import read_embeddings_request
from mock_llm.embeddings.schema import OPERATIONS, PATH
from mock_llm.endpoint import Endpoint
from mock_llm.mock import Call, Mock

__all__ = ["OPERATIONS", "routes"]


def routes(mock: Mock) -> list[BaseRoute]:
    return [Route(PATH, Endpoint(mock, PATH, _embed), methods=["POST"])]


def _embed(call: Call) -> ASGIApp:
    body = read_object(call.body)
    asked = read_embeddings_request(body)
    turn = call.begin(read_model(body), asked.texts[-1])
    usage = turn.usage(asked.prompt_tokens, 0)
    forms = Forms(
        whole=lambda: embeddings_document(asked, turn.model, usage),
        without_usage=lambda: embeddings_document(asked, turn.model, None),
        empty=lambda: empty_document(turn.model, usage),
    )
    return answer_whole(turn, usage, forms)
