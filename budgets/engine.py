"""What a budget decides: whether a call may go ahead, and what it cost.

A check reserves what the call may cost; its charge puts the true figure in that place. `used + reserved >= limit` refuses, so
the call that crosses a limit completes and the next one does not. A refusal costs nothing.

How far a budget can be overshot: a call is admitted only while spend and reservations are below the limit. So what is spent in
the end is less than the limit, plus the cost of the last call admitted, plus what each call under way at that moment costs
beyond its reservation. With good estimates that is one call; without concurrency it is always one call.
"""

import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from budgets.budget import Action, Budget, Measure, Usage
from budgets.charging import Charging
from budgets.decision import Balance, Decision, Refusal
from budgets.estimates import Estimates
from budgets.journal import Journal
from budgets.matching.policy import Applying, Call
from budgets.metrics import Metrics
from budgets.raises import Raises
from budgets.rules import Rules
from budgets.stores.store import CallId, Hold, Store, StoreAway

log = logging.getLogger("budgets")

MOST_COST = 10**16
"""Picodollars. A call that cost more than ten thousand dollars was counted wrong, and counters are 64-bit."""


@dataclass(frozen=True)
class Behaviour:
    """What an operator may choose."""

    admits_uncovered: bool = False
    fails_open: bool = False
    """Admit, and log, what cannot be checked because the store is away."""
    burst: int = 10
    """Calls that an idle budget admits at once, whatever they may cost: no reservation takes more than this part of a limit."""
    reservation_life: float = 330
    """Seconds after which a reservation without a charge ends; longer than the gateway waits for an answer."""


class Engine:
    """`rules` answers those in force, which may be others at each call."""

    def __init__(
        self,
        rules: Callable[[], Rules],
        store: Store,
        charging: Charging,
        metrics: Metrics,
        *,
        behaviour: Behaviour | None = None,
        estimates: Estimates | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rules = rules
        self._store = store
        self._charging = charging
        self._behaviour = behaviour or Behaviour()
        self._estimates = Estimates(first=1000) if estimates is None else estimates
        self._metrics = metrics
        self._journal = Journal(metrics)
        self._clock = clock
        self.raises = Raises(store, clock)

    async def check(self, call: Call, request_id: str | None = None, max_tokens: int | None = None) -> Decision:
        """Raises StoreAway, unless it fails open."""
        rules, dimensions = self._rules(), call.dimensions
        applying = self._applying(rules, call)
        estimate = self._estimates.estimate(dimensions, max_tokens)
        unread = self._estimates.unread(estimate, max_tokens)
        costs = [_cost(rules, each.budget, estimate, dimensions) for each in applying]
        if any(cost is None and each.budget.action is Action.BLOCK for each, cost in zip(applying, costs, strict=True)):
            return self._refused(Decision(refusal=Refusal.UNPRICED, model=dimensions.get("model")), call)
        if not applying and not (self._behaviour.admits_uncovered or rules.policy.exempts(call)):
            return self._refused(Decision(refusal=Refusal.UNCOVERED), call)
        holds = [
            Hold(each.budget, self._capped(each.budget, cost or 0), _cost(rules, each.budget, unread, dimensions) or 0)
            for each, cost in zip(applying, costs, strict=True)
        ]
        call_id, now = _call_id(call, request_id), self._clock()
        deadline = now + self._behaviour.reservation_life
        try:
            reserved = await self._store.reserve(call_id, holds, now, deadline, _note(dimensions, unread))
        except StoreAway as error:
            if not self._behaviour.fails_open:
                self._charging.give_back(call_id)
                raise
            self._journal.waved_through(call, request_id, error)
            return Decision()
        tallies = zip(applying, reserved.tallies, strict=True)
        balances = tuple(Balance.of(each.budget, tally, now) for each, tally in tallies)
        decision = Decision(balances, tuple(each.descriptor for each in applying))
        if not reserved.admitted:
            spent = any(balance.spent for balance in decision.blocking)
            return self._refused(Decision(balances, decision.found_by, Refusal.SPENT if spent else Refusal.RESERVED), call)
        self._journal.admitted(decision, [cost is None for cost in costs], call)
        return decision

    async def charge(self, call: Call, usages: Sequence[Usage], request_id: str | None = None) -> None:
        """Count what a call used; a usage for each descriptor. A request's id makes it count once, however often repeated.

        Raises StoreAway once its patience has ended.
        """
        rules, dimensions = self._rules(), call.dimensions
        amounts: dict[Budget, int] = {}
        for each in self._applying(rules, call):
            cost = _cost(rules, each.budget, usages[each.descriptor], dimensions)
            if cost is None:
                self._journal.unpriced(each.budget, dimensions)
            amounts[each.budget] = cost or 0
        usage = usages[0]
        self._estimates.learn(dimensions, usage)
        call_id = _call_id(call, request_id)
        now = self._clock()
        if await self._charging.charge(call_id, amounts, now):
            self._journal.charged(call_id.value, dimensions, usage, _picodollars(rules, usage, dimensions), amounts)

    async def ended(self, call: Call, status: int, request_id: str | None) -> None:
        """A call that used nothing that the gateway could read: its LLM failed, or its caller hung up. Raises StoreAway."""
        if request_id is None:
            return
        # After 504 nobody knows: the gateway gave up waiting, and the LLM may have worked all the same.
        failed = status >= HTTPStatus.BAD_REQUEST and status != HTTPStatus.GATEWAY_TIMEOUT
        end = self._store.release if failed else self._store.commit
        note = await end(CallId(request_id))
        if note is not None:
            self._journal.ended(request_id, status, failed, note)

    async def expire(self) -> None:
        """End the reservations whose charge has not come in time. Raises StoreAway."""
        for lapsed in await self._store.expire(self._clock()):
            self._journal.expired(lapsed)

    async def drain(self) -> None:
        """Wait for the charges that are under way, and leave the store alone from then on."""
        await self._charging.drain()

    def _applying(self, rules: Rules, call: Call) -> Sequence[Applying]:
        applying = rules.policy.applying(call)
        if not self.raises.any:
            return applying
        return [Applying(self.raises.applied(each.budget), each.descriptor) for each in applying]

    def _capped(self, budget: Budget, cost: int) -> int:
        return min(cost, max(1, budget.limit // self._behaviour.burst))

    def _refused(self, decision: Decision, call: Call) -> Decision:
        self._journal.refused(decision, call)
        return decision


def _cost(rules: Rules, budget: Budget, usage: Usage, dimensions: Mapping[str, str]) -> int | None:
    """In what the budget counts; None where the model has no price."""
    return usage.tokens if budget.measure is Measure.TOKENS else _picodollars(rules, usage, dimensions)


def _picodollars(rules: Rules, usage: Usage, dimensions: Mapping[str, str]) -> int | None:
    cost, model = usage.picodollars, dimensions.get("model")
    if cost is None and model:
        cost = rules.prices.cost(model, usage, dimensions.get("provider"))
    return cost if cost is None else min(cost, MOST_COST)


def _call_id(call: Call, request_id: str | None) -> CallId:
    """Without the gateway's id, calls that ask alike stand in one lane, and a charge goes to the oldest of them."""
    if request_id:
        return CallId(request_id)
    return CallId(str(uuid.uuid4()), json.dumps(call.descriptors, ensure_ascii=False))


def _note(dimensions: Mapping[str, str], estimate: Usage) -> str:
    return json.dumps({"dimensions": dict(dimensions), "input": estimate.input, "output": estimate.output}, ensure_ascii=False)
