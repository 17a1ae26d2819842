"""A double of the budget service's gRPC side: it records what Envoy asks, and answers as it was told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest, RateLimitResponse

UNKNOWN_KEY = '{"error": {"type": "authentication_error", "code": "invalid_api_key"}}'


@dataclass(frozen=True)
class Ask:
    """One call of the rate-limit API. Of each descriptor its entries and its hits."""

    domain: str
    descriptors: tuple[tuple[dict[str, str], int], ...]

    @property
    def is_charge(self) -> bool:
        return any({"usage", "response_status"} & entries.keys() for entries, _ in self.descriptors)

    @property
    def hits(self) -> dict[str, int]:
        """Of a charge: each figure by its name, and the status as `status`."""
        return {entries.get("usage", "status"): hits for entries, hits in self.descriptors}

    @property
    def request_id(self) -> str:
        (only,) = {entries["request_id"] for entries, _ in self.descriptors}
        return only


@dataclass
class BudgetService:
    """Admits all calls unless it `refuses`; `keys` are the virtual keys that it knows, with the headers to stamp for each."""

    keys: dict[str, dict[str, str]] = field(default_factory=dict)
    refuses: bool = False
    asked: list[Ask] = field(default_factory=list)
    authorized: list[dict[str, str]] = field(default_factory=list)
    """The headers that came with each question about a key."""
    under_way: set[str] = field(default_factory=set)
    """The request ids of admitted calls that are not charged yet."""

    @property
    def checks(self) -> list[Ask]:
        return [ask for ask in self.asked if not ask.is_charge]

    @property
    def charges(self) -> list[Ask]:
        return [ask for ask in self.asked if ask.is_charge]

    async def should_rate_limit(self, request: RateLimitRequest, context: object) -> RateLimitResponse:
        ask = Ask(request.domain, tuple((_entries(each), each.hits_addend.value) for each in request.descriptors))
        self.asked.append(ask)
        over = self.refuses and not ask.is_charge
        if ask.is_charge:
            self.under_way.discard(ask.request_id)
        elif not over:
            self.under_way.add(ask.request_id)
        return RateLimitResponse(overall_code=RateLimitResponse.OVER_LIMIT if over else RateLimitResponse.OK)

    async def authorize(self, request: CheckRequest, context: object) -> CheckResponse:
        headers = dict(request.attributes.request.http.headers)
        self.authorized.append(headers)
        stamped = self.keys.get(headers["authorization"].split(" ")[-1])
        answer = CheckResponse()
        if stamped is None:
            answer.status.code = grpc.StatusCode.UNAUTHENTICATED.value[0]
            answer.denied_response.status.code = 401
            answer.denied_response.headers.append(_stamp("content-type", "application/json"))
            answer.denied_response.body = UNKNOWN_KEY
        else:
            answer.ok_response.headers.extend(_stamp(name, value) for name, value in stamped.items())
            answer.ok_response.headers_to_remove.append("authorization")
        return answer

    def server(self, port: int) -> grpc.aio.Server:
        """Not started yet."""
        server: grpc.aio.Server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        limits = _handler(
            "envoy.service.ratelimit.v3.RateLimitService", "ShouldRateLimit", self.should_rate_limit, RateLimitRequest
        )
        keys = _handler("envoy.service.auth.v3.Authorization", "Check", self.authorize, CheckRequest)
        server.add_generic_rpc_handlers((limits, keys))
        server.add_insecure_port(f"127.0.0.1:{port}")
        return server


def _entries(descriptor: RateLimitDescriptor) -> dict[str, str]:
    """Raises ValueError, which the gateway takes for an outage, where a key stands there twice."""
    pairs: Sequence[tuple[str, str]] = [(entry.key, entry.value) for entry in descriptor.entries]
    if len(dict(pairs)) != len(pairs):
        raise ValueError(f"A key stands twice in {pairs}.")
    return dict(pairs)


def _stamp(name: str, value: str) -> HeaderValueOption:
    action = HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    return HeaderValueOption(header=HeaderValue(key=name, value=value), append_action=action)


def _handler(service: str, method: str, answer: Any, request: Any) -> grpc.GenericRpcHandler:
    handler: Any = grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=request.FromString, response_serializer=lambda message: message.SerializeToString()
    )
    return grpc.method_handlers_generic_handler(service, {method: handler})
