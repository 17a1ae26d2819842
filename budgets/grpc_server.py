"""The gRPC port, which only the gateway calls."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

log = logging.getLogger("budgets")

Request = TypeVar("Request", bound=Message)


def unary_handler(
    service: str, method: str, request: type[Request], answer: Callable[[Request, Any], Awaitable[Message]]
) -> grpc.GenericRpcHandler:
    """Parses the request here, for gRPC answers one that cannot be parsed with UNKNOWN, and logs a trace."""

    async def parse_and_answer(received: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        try:
            parsed = request.FromString(received)
        except DecodeError:
            reason = f"The request is no {request.DESCRIPTOR.name} message."
            log.error("refused a malformed call: %s", reason)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
        return (await answer(parsed, context)).SerializeToString()

    handler: Any = grpc.unary_unary_rpc_method_handler(parse_and_answer)
    return grpc.method_handlers_generic_handler(service, {method: handler})


def grpc_server(handlers: list[grpc.GenericRpcHandler], host: str, port: int) -> grpc.aio.Server:
    """A server that is not started yet. Raises SystemExit where the address cannot be had."""
    # Without this option two services would share a port in silence, and each would hear half of the calls.
    server: grpc.aio.Server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(tuple(handlers))
    try:
        server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except RuntimeError:
        raise SystemExit(
            f"Cannot listen on {host}:{port}: the port is in use. Set BUDGETS_GRPC_PORT to a port that is free."
        ) from None
    return server
