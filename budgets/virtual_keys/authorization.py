"""Who a virtual key stands for, told to the gateway over Envoy's external authorization API (`envoy.service.auth.v3`).

A known key is answered with the headers that tell the gateway who calls, and the key itself is taken out of the request. Any
other key, and none, is answered with a 401 whose body is shaped as OpenAI's. No answer and no log line holds a key.
"""

import json
import logging
from collections.abc import Callable

import grpc
from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse
from envoy.type.v3.http_status_pb2 import HttpStatus, StatusCode

from budgets.documents.stamped import header_for
from budgets.grpc_server import unary_handler
from budgets.virtual_keys.keys import KeyRing, VirtualKey

log = logging.getLogger("budgets")

SERVICE = "envoy.service.auth.v3.Authorization"

Context = grpc.aio.ServicerContext[CheckRequest, CheckResponse]


class AuthorizationService:
    """`keys` answers those in force, which may be others at each call."""

    def __init__(self, keys: Callable[[], KeyRing]) -> None:
        self._keys = keys

    async def check(self, request: CheckRequest, context: Context) -> CheckResponse:
        key = bearer(request.attributes.request.http.headers.get("authorization", ""))
        virtual_key = self._keys().find(key) if key else None
        if virtual_key:
            return _let_in(virtual_key)
        reason = "is not known" if key else "is missing"
        log.info(
            "refused a caller whose API key %s: caller=%s", reason, request.attributes.source.address.socket_address.address
        )
        return _turned_away(f"The API key {reason}. Send one in the header Authorization: Bearer.")

    def method_handlers(self) -> grpc.GenericRpcHandler:
        return unary_handler(SERVICE, "Check", CheckRequest, self.check)


def bearer(authorization: str) -> str | None:
    """The credential of an Authorization header (RFC 6750, 2.1; RFC 9110, 11.1: the scheme in letters of any case)."""
    scheme, _, credential = authorization.partition(" ")
    return credential.strip() or None if scheme.lower() == "bearer" else None


def _let_in(virtual_key: VirtualKey) -> CheckResponse:
    stamped = [_header(header_for(dimension), value) for dimension, value in virtual_key.dimensions.items()]
    answer = CheckResponse(ok_response=OkHttpResponse(headers=stamped, headers_to_remove=["authorization"]))
    answer.status.code = grpc.StatusCode.OK.value[0]
    return answer


def _turned_away(message: str) -> CheckResponse:
    error = {"message": message, "type": "authentication_error", "code": "invalid_api_key", "param": None}
    denied = DeniedHttpResponse(
        status=HttpStatus(code=StatusCode.Unauthorized),
        headers=[_header("content-type", "application/json"), _header("www-authenticate", "Bearer")],
        body=json.dumps({"error": error}),
    )
    answer = CheckResponse(denied_response=denied)
    answer.status.code = grpc.StatusCode.UNAUTHENTICATED.value[0]
    return answer


def _header(name: str, value: str) -> HeaderValueOption:
    """It takes the place of a header of that name, whoever set that."""
    return HeaderValueOption(
        header=HeaderValue(key=name, value=value), append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    )
