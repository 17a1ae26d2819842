"""The mock LLM as one ASGI application: OpenAI's routes, the ledger, metrics and health."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from mock_llm.chat import routes as chat
from mock_llm.chat import schema as chat_schema
from mock_llm.config import Settings
from mock_llm.embeddings import routes as embeddings
from mock_llm.endpoint import headers_of
from mock_llm.errors import answer_errors
from mock_llm.ledger.routes import add_operators
from mock_llm.mock import Mock
from mock_llm.openapi import document
from mock_llm.request_ids import naming, request_id_of
from mock_llm.responses import routes as responses


class MockApp:
    """Hands chat completions to their endpoint itself, for finding a route costs as much as an answer; the rest to FastAPI."""

    def __init__(self, mock: Mock) -> None:
        self._chat = chat.chat_completions(mock)
        self._stopping = False
        self._others = self._rest(mock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == chat.PATH and scope["method"] == "POST":
            await self._chat(scope, receive, send)
        elif scope["type"] == "http":
            await self._others(scope, receive, naming(send, request_id_of(headers_of(scope))))
        else:
            await self._others(scope, receive, send)

    def stop(self) -> None:
        """From here on it is not ready."""
        self._stopping = True

    def routes(self) -> Sequence[BaseRoute]:
        return self._others.routes

    def _rest(self, mock: Mock) -> FastAPI:
        app = FastAPI(title="Mock LLM", description="Answers with essays and keeps a ledger of the usage it reported.")
        answer_errors(app)
        # The wrong methods of the chat's path are refused here.
        app.router.routes.append(Route(chat.PATH, self._chat, methods=["POST"]))
        app.router.routes.extend([*embeddings.routes(mock), *responses.routes(mock)])
        add_operators(app, mock, lambda: self._stopping)
        operations = [*chat_schema.OPERATIONS, *embeddings.OPERATIONS, *responses.OPERATIONS]
        described: dict[str, Any] = {}

        def openapi() -> dict[str, Any]:
            if not described:
                described.update(document(app, operations))
            return described

        app.openapi = openapi  # type: ignore[method-assign]
        return app


def create_app(settings: Settings) -> MockApp:
    """Raises ModelsError where the list of models cannot be used."""
    return MockApp(Mock(settings))
