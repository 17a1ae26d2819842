"""The Envoy rate-limit API (`envoy.service.ratelimit.v3.RateLimitService`), as gateways call it for token budgets.

A descriptor whose `hits_addend` is 0 is a check; one with more is a charge, made after the call, whose answer no gateway
reads; one with `response_status` tells beside a charge how the call ended. Without `hits_addend` the API means 1
(envoyproxy/ratelimit); one request is not a token, so such a call is refused.
"""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import grpc
from envoy.config.core.v3.base_pb2 import HeaderValue
from envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest, RateLimitResponse
from google.protobuf.duration_pb2 import Duration

from budgets.answers import body, headers
from budgets.engine import Balance, Decision, Engine
from budgets.policy import REQUEST_ID, RESPONSE_STATUS, Entries
from budgets.store import StoreAway
from service.rate_limit_config import TOKEN_CAP, Unit

log = logging.getLogger("budgets")

SERVICE = "envoy.service.ratelimit.v3.RateLimitService"

_UNITS = {unit: getattr(RateLimitResponse.RateLimit, unit.name) for unit in Unit}

Context = grpc.aio.ServicerContext[RateLimitRequest, RateLimitResponse]


class RateLimitService:
    def __init__(self, engine: Engine, domain: str) -> None:
        self._engine = engine
        self._domain = domain

    async def should_rate_limit(self, request: RateLimitRequest, context: Context) -> RateLimitResponse:
        await self._refuse_malformed(request, context)
        try:
            if any(each.hits_addend.value for each in request.descriptors):
                return await self._charge(request)
            return await self._check(request)
        except StoreAway:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "The budget store cannot be used.")

    async def _refuse_malformed(self, request: RateLimitRequest, context: Context) -> None:
        reason = self._malformed(request)
        if reason:
            log.error("refused a malformed call: %s", reason)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)

    def _malformed(self, request: RateLimitRequest) -> str | None:
        if request.domain != self._domain:
            remedy = "Set BUDGETS_DOMAIN and the gateway's domain to the same."
            return f"The domain is {request.domain!r}; this service serves {self._domain!r}. {remedy}"
        if not request.descriptors:
            return "The request holds no descriptor, so no budget can be found."
        if not all(each.HasField("hits_addend") and each.hits_addend.value <= TOKEN_CAP for each in request.descriptors):
            return f"Each descriptor needs hits_addend: 0 to check, or the tokens to charge, {TOKEN_CAP} at most."
        return None

    async def _check(self, request: RateLimitRequest) -> RateLimitResponse:
        descriptors = tuple(_entries(each) for each in request.descriptors)
        decision = await self._engine.check(descriptors)
        code = RateLimitResponse.OK if decision.admitted else RateLimitResponse.OVER_LIMIT
        return RateLimitResponse(
            overall_code=code,
            statuses=[_status(balance, decision) for balance in decision.balances],
            response_headers_to_add=[HeaderValue(key=key, value=value) for key, value in headers(decision).items()],
            raw_body=body(decision, descriptors),
        )

    async def _charge(self, request: RateLimitRequest) -> RateLimitResponse:
        request_id = _value_of(request.descriptors, REQUEST_ID)
        costs = [(_entries(each), each.hits_addend.value) for each in request.descriptors if not _tells_status(each)]
        if costs:
            await self._engine.charge(costs, request_id)
        else:
            _log_uncharged(request.descriptors, request_id)
        return RateLimitResponse(overall_code=RateLimitResponse.OK)


def _entries(descriptor: RateLimitDescriptor) -> Entries:
    return tuple((entry.key, entry.value) for entry in descriptor.entries if entry.key != REQUEST_ID)


def _tells_status(descriptor: RateLimitDescriptor) -> bool:
    """Whether it says how the call ended (its hits are the HTTP status) rather than what it used."""
    return any(entry.key == RESPONSE_STATUS for entry in descriptor.entries)


def _log_uncharged(descriptors: Sequence[RateLimitDescriptor], request_id: str | None) -> None:
    """A call that ended well and reported no usage: the caller hung up, or the LLM does not say what it used."""
    statuses = [each.hits_addend.value for each in descriptors]
    if any(status < HTTPStatus.BAD_REQUEST for status in statuses):
        team = _value_of(descriptors, "team")
        log.warning("answered and not charged, for no usage was read: request=%s team=%s status=%s", request_id, team, statuses)


def _value_of(descriptors: Sequence[RateLimitDescriptor], key: str) -> str | None:
    values = (str(entry.value) for descriptor in descriptors for entry in descriptor.entries if entry.key == key)
    return next(values, None)


def _status(balance: Balance | None, decision: Decision) -> RateLimitResponse.DescriptorStatus:
    if balance is None:
        code = RateLimitResponse.OK if decision.admitted else RateLimitResponse.OVER_LIMIT
        return RateLimitResponse.DescriptorStatus(code=code)
    return RateLimitResponse.DescriptorStatus(
        code=RateLimitResponse.OVER_LIMIT if balance.spent else RateLimitResponse.OK,
        current_limit=RateLimitResponse.RateLimit(
            requests_per_unit=balance.budget.limit, unit=_UNITS[balance.budget.unit], name=balance.budget.id
        ),
        limit_remaining=balance.remaining,
        duration_until_reset=Duration(seconds=balance.reset_in),
    )


def grpc_server(service: RateLimitService, host: str, port: int) -> grpc.aio.Server:
    """A server that is not started yet. Raises SystemExit where the address cannot be had."""
    # Without this option two services would share a port in silence, and each would hear half of the calls.
    server: grpc.aio.Server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    method: Any = grpc.unary_unary_rpc_method_handler(
        service.should_rate_limit,
        request_deserializer=RateLimitRequest.FromString,
        response_serializer=RateLimitResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"ShouldRateLimit": method}),))
    try:
        server.add_insecure_port(f"{host}:{port}")
    except RuntimeError:
        raise SystemExit(
            f"Cannot listen on {host}:{port}: the port is in use. Set BUDGETS_GRPC_PORT to a port that is free."
        ) from None
    return server
