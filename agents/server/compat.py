"""A2A 0.3, as kagent 0.9 and 0.10 speak it, where the SDK's own adapters answer with the wrong error."""

import logging
import sys
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any

# Before the adapters, which import it: the other way round, the SDK's circle of imports does not close.
from a2a.server.routes.common import ServerCallContextBuilder, create_event_source_response

# isort: split
from a2a.compat.v0_3 import types as types_v03
from a2a.compat.v0_3.conversions import to_core_part
from a2a.compat.v0_3.jsonrpc_adapter import JSONRPC03Adapter
from a2a.compat.v0_3.request_handler import RequestHandler03
from a2a.compat.v0_3.rest_adapter import REST03Adapter
from a2a.server.context import ServerCallContext
from a2a.server.jsonrpc_models import InvalidRequestError as InvalidRequestModel
from a2a.server.jsonrpc_models import JSONRPCError
from a2a.server.request_handlers import RequestHandler
from a2a.utils import json_utils
from a2a.utils.error_handlers import build_rest_error_payload, rest_error_handler
from a2a.utils.errors import A2AError, InternalError, InvalidParamsError, PushNotificationNotSupportedError
from google.protobuf.json_format import ParseError
from pydantic import ValidationError
from sse_starlette.sse import EventSourceResponse
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

log = logging.getLogger(__name__)

INTERNAL = "The agent failed; its log says why."

PUSH = "tasks/pushNotificationConfig/"


class JsonRpcAdapter(JSONRPC03Adapter):
    """Wrong params are -32602, push notifications -32003, and nothing of an exception is told."""

    def __init__(self, handler: RequestHandler, callers: ServerCallContextBuilder, shutdown_grace_period: float) -> None:
        super().__init__(handler, callers, shutdown_grace_period)
        self.handler = _CheckedMessages(handler)

    async def handle_request(
        self, request_id: str | int | None, method: str, body: dict[str, Any], request: Request
    ) -> JSONResponse | EventSourceResponse:
        if method.startswith(PUSH):
            return self._generate_error_response(request_id, PushNotificationNotSupportedError())
        return await super().handle_request(request_id, method, body, request)

    def _generate_error_response(self, request_id: str | int | None, error: Exception | JSONRPCError) -> JSONResponse:
        """The SDK calls it while it handles the exception, and hands over nothing of it but its text."""
        return super()._generate_error_response(request_id, _fit_to_tell(error, sys.exception()))


class _CheckedMessages(RequestHandler03):
    """Parts that cannot be converted are wrong params; the SDK would find out in the middle of a stream."""

    async def on_message_send(
        self, request: types_v03.SendMessageRequest, context: ServerCallContext
    ) -> types_v03.Task | types_v03.Message:
        _check_parts(request.params.message)
        return await super().on_message_send(request, context)

    async def on_message_send_stream(
        self, request: types_v03.SendMessageRequest, context: ServerCallContext
    ) -> AsyncIterable[types_v03.SendStreamingMessageSuccessResponse]:
        _check_parts(request.params.message)
        async for response in super().on_message_send_stream(request, context):
            yield response


def _check_parts(message: types_v03.Message) -> None:
    for number, part in enumerate(message.parts):
        if not isinstance(part.root, types_v03.TextPart):
            try:
                to_core_part(part)
            except Exception:
                raise InvalidParamsError(f"params.message.parts.{number} cannot be read.") from None


def _fit_to_tell(error: Exception | JSONRPCError, cause: BaseException | None) -> A2AError:
    if isinstance(error, A2AError):
        return error
    # The dispatcher has checked all the rest of the request before.
    if isinstance(error, InvalidRequestModel):
        return InvalidParamsError(_first_problem(cause) if isinstance(cause, ValidationError) else None)
    log.error("A request in A2A 0.3 failed.", exc_info=cause)
    return InternalError(INTERNAL)


def _first_problem(error: ValidationError) -> str:
    """Where, and what is expected there, without what was sent."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(step) for step in problem["loc"])
    return f"{place[:200]}: {problem['msg'][:200]}."


class RestAdapter(REST03Adapter):
    """Query parameters of the wrong type are HTTP 400; a stream that fails says so before it ends."""

    async def _handle_request(
        self, method: Callable[[Request, ServerCallContext], Awaitable[Any]], request: Request
    ) -> Response:
        async def checked(request: Request, context: ServerCallContext) -> Any:
            try:
                return await method(request, context)
            except ParseError:
                raise
            except ValueError as error:
                raise InvalidParamsError from error

        return await super()._handle_request(checked, request)

    async def _handle_streaming_request(
        self, method: Callable[[Request, ServerCallContext], AsyncIterable[Any]], request: Request
    ) -> Response:
        return await self._stream(method, request)

    @rest_error_handler
    async def _stream(
        self, method: Callable[[Request, ServerCallContext], AsyncIterable[Any]], request: Request
    ) -> EventSourceResponse:
        await request.body()
        stream = aiter(method(request, self._context_builder.build(request)))
        # What is wrong with the request shows here, where it can still be a status.
        first = await anext(stream, None)
        return create_event_source_response(_told(first, stream), shutdown_grace_period=self._shutdown_grace_period)


async def _told(first: object, rest: AsyncIterator[object]) -> AsyncIterator[dict[str, str]]:
    if first is not None:
        yield {"data": json_utils.dumps(first)}
    try:
        async for item in rest:
            yield {"data": json_utils.dumps(item)}
    except Exception as error:
        if not isinstance(error, A2AError):
            log.exception("A stream in A2A 0.3 failed.")
        yield {"event": "error", "data": json_utils.dumps(build_rest_error_payload(error))}


def rest_routes_0_3(handler: RequestHandler, callers: ServerCallContextBuilder, shutdown_grace_period: float) -> list[Route]:
    adapter = RestAdapter(handler, callers, shutdown_grace_period)
    return [Route(path, endpoint, methods=[method]) for (path, method), endpoint in adapter.routes().items()]
