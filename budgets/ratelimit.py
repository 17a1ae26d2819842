"""The Envoy rate-limit API (`envoy.service.ratelimit.v3.RateLimitService`), as gateways call it for budgets.

A call of it whose hits are all 0 is a check; one with more is a charge, made after the call, whose answer no gateway reads.
Without `hits_addend` the API means 1 (envoyproxy/ratelimit); one request is not a token, so such a call is refused.
"""

import logging

import grpc
from envoy.config.core.v3.base_pb2 import HeaderValue
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest, RateLimitResponse
from google.protobuf.duration_pb2 import Duration

from budgets.answers import body, headers
from budgets.budget import PICO, Measure
from budgets.decision import Balance, Decision
from budgets.engine import Engine
from budgets.grpc_server import unary_handler
from budgets.stores.store import StoreAway
from budgets.windows import Unit
from budgets.wire import Asked, MalformedError, read

log = logging.getLogger("budgets")

SERVICE = "envoy.service.ratelimit.v3.RateLimitService"

_UNITS = {unit: getattr(RateLimitResponse.RateLimit, unit.name) for unit in Unit}
_UINT32 = 2**32 - 1

Context = grpc.aio.ServicerContext[RateLimitRequest, RateLimitResponse]


class RateLimitService:
    def __init__(self, engine: Engine, domain: str) -> None:
        self._engine = engine
        self._domain = domain

    async def should_rate_limit(self, request: RateLimitRequest, context: Context) -> RateLimitResponse:
        try:
            asked = read(request, self._domain)
            if asked.is_charge:
                await self._engine.charge(asked.call, asked.usages, asked.request_id)
            elif asked.is_end:
                await self._engine.ended(asked.call, asked.status or 0, asked.request_id)
            else:
                return await self._check(asked)
        except MalformedError as error:
            log.error("refused a malformed call: %s", error)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except StoreAway:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "The budget store cannot be used.")
        return RateLimitResponse(overall_code=RateLimitResponse.OK)

    async def _check(self, asked: Asked) -> RateLimitResponse:
        decision = await self._engine.check(asked.call, asked.request_id, asked.max_tokens)
        return RateLimitResponse(
            overall_code=RateLimitResponse.OK if decision.admitted else RateLimitResponse.OVER_LIMIT,
            statuses=[_status(decision, position) for position in range(len(asked.call.descriptors))],
            response_headers_to_add=[HeaderValue(key=key, value=value) for key, value in headers(decision).items()],
            raw_body=body(decision, asked.call.descriptors),
        )

    def method_handlers(self) -> grpc.GenericRpcHandler:
        return unary_handler(SERVICE, "ShouldRateLimit", RateLimitRequest, self.should_rate_limit)


def _status(decision: Decision, position: int) -> RateLimitResponse.DescriptorStatus:
    """Of the tightest budget that was found by this descriptor."""
    balance = decision.tightest_of(position)
    if balance is None:
        code = RateLimitResponse.OK if decision.admitted else RateLimitResponse.OVER_LIMIT
        return RateLimitResponse.DescriptorStatus(code=code)
    return RateLimitResponse.DescriptorStatus(
        code=RateLimitResponse.OK if balance.has_room else RateLimitResponse.OVER_LIMIT,
        current_limit=RateLimitResponse.RateLimit(
            requests_per_unit=_uint32(balance, balance.budget.limit),
            unit=_UNITS[balance.budget.window.unit],
            name=balance.budget.id,
        ),
        limit_remaining=_uint32(balance, balance.remaining),
        duration_until_reset=Duration(seconds=balance.reset_in),
    )


def _uint32(balance: Balance, amount: int) -> int:
    """What the API has room for; dollars in millionths."""
    figure = amount if balance.budget.measure is Measure.TOKENS else amount * 10**6 // PICO
    return min(figure, _UINT32)
