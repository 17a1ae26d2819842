"""The A2A routes: JSON-RPC and HTTP+JSON, 1.0 and 0.3, from one root path, with errors that tell nothing of the inside."""

import logging
import sys

from a2a.server.jsonrpc_models import InternalError as InternalErrorModel
from a2a.server.jsonrpc_models import JSONRPCError
from a2a.server.request_handlers import RequestHandler
from a2a.server.routes import create_rest_routes
from a2a.server.routes.common import ServerCallContextBuilder
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from a2a.utils.errors import A2AError, InternalError, InvalidParamsError, InvalidRequestError
from google.protobuf.json_format import ParseError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from agents.server.compat import INTERNAL, JsonRpcAdapter, rest_routes_0_3
from agents.server.handler import LONGEST_ID

log = logging.getLogger(__name__)

MOST_SAID = 300
"""Characters of an error's text. Protobuf quotes what it was sent."""

ON_CALLERS_MISTAKES = (
    "a2a.compat.v0_3.jsonrpc_adapter",
    "a2a.server.routes.jsonrpc_dispatcher",
    "a2a.utils.error_handlers",
)
"""The SDK's loggers that write a traceback for each request that is wrong. What is the agent's fault is logged here."""


def a2a_routes(handler: RequestHandler, callers: ServerCallContextBuilder, shutdown_grace_period: float) -> list[BaseRoute]:
    """To be added last, for they end in a catch-all. Quietens the SDK on callers' mistakes."""
    for name in ON_CALLERS_MISTAKES:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return [
        Route("/", _Dispatcher(handler, callers, shutdown_grace_period).handle_requests, methods=["POST"]),
        *rest_routes_0_3(handler, callers, shutdown_grace_period),
        *create_rest_routes(handler, callers, shutdown_grace_period=shutdown_grace_period),
    ]


class _Dispatcher(JsonRpcDispatcher):
    def __init__(self, handler: RequestHandler, callers: ServerCallContextBuilder, shutdown_grace_period: float) -> None:
        super().__init__(handler, callers, enable_v0_3_compat=True, shutdown_grace_period=shutdown_grace_period)
        self._v03_adapter = JsonRpcAdapter(handler, callers, shutdown_grace_period)

    async def handle_requests(self, request: Request) -> Response:
        # The request keeps what was parsed for whoever asks next.
        document = await request.json()
        if isinstance(document, dict) and _is_too_long(document.get("id")):
            return self._generate_error_response(
                None, InvalidRequestError(f"The request's id is longer than {LONGEST_ID} characters.")
            )
        return await super().handle_requests(request)

    def _generate_error_response(
        self, request_id: str | int | None, error: Exception | JSONRPCError | A2AError
    ) -> JSONResponse:
        """The SDK calls it while it handles the exception, and hands over nothing of it but its text."""
        return super()._generate_error_response(request_id, _fit_to_tell(error, sys.exception()))


def _is_too_long(request_id: object) -> bool:
    """It comes back with every event of a stream."""
    return (
        len(request_id) > LONGEST_ID
        if isinstance(request_id, str)
        else isinstance(request_id, int) and request_id.bit_length() > 64
    )


def _fit_to_tell(error: Exception | JSONRPCError, cause: BaseException | None) -> A2AError | JSONRPCError:
    if isinstance(error, InvalidParamsError | InvalidRequestError) and error.data and "parseError" in error.data:
        return type(error)(str(cause)[:MOST_SAID] if isinstance(cause, ParseError) else None)
    if isinstance(error, A2AError | JSONRPCError) and not isinstance(error, InternalError | InternalErrorModel):
        return error
    log.error("A request failed.", exc_info=cause)
    return InternalError(INTERNAL)
