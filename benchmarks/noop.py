"""The floor: a gRPC server like the budget service's, which says yes to everything and does nothing.

`python -m benchmarks.noop PORT`
"""

import sys
from typing import Any

import grpc
import uvloop
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest, RateLimitResponse

from budgets.grpc_server import grpc_server
from budgets.ratelimit import SERVICE

_YES = RateLimitResponse(overall_code=RateLimitResponse.OK)


async def _say_yes(request: RateLimitRequest, context: Any) -> RateLimitResponse:
    return _YES


async def serve(port: int) -> None:
    method: Any = grpc.unary_unary_rpc_method_handler(
        _say_yes, request_deserializer=RateLimitRequest.FromString, response_serializer=RateLimitResponse.SerializeToString
    )
    handlers = grpc.method_handlers_generic_handler(SERVICE, {"ShouldRateLimit": method})
    server = grpc_server([handlers], "127.0.0.1", port)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
