"""What a budget decides: whether a call may go ahead, and what it cost.

A check asks with nothing to add; a charge adds what the call used. `used >= limit` refuses, so the call that crosses a limit
completes and the next one does not. A refusal costs nothing.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from budgets.policy import Budget, Entries, Policy
from budgets.store import Counter, Store, StoreAway
from budgets.windows import window_at

log = logging.getLogger("budgets")


@dataclass(frozen=True)
class Balance:
    """A budget at one moment."""

    budget: Budget
    used: int
    reset_in: int
    """Whole seconds until the window ends."""
    reset_at: int
    """The window's end, in seconds since the epoch."""

    @property
    def remaining(self) -> int:
        return max(0, self.budget.limit - self.used)

    @property
    def spent(self) -> bool:
        return self.used >= self.budget.limit


@dataclass(frozen=True)
class Decision:
    """One balance for each descriptor that was asked about, None where no budget covers it."""

    balances: tuple[Balance | None, ...]
    admits_uncovered: bool

    @property
    def covering(self) -> list[Balance]:
        return [balance for balance in self.balances if balance]

    @property
    def tightest(self) -> Balance | None:
        """Of several spent budgets the one that resets last: before that, the caller need not try again."""
        return min(self.covering, key=lambda each: (each.remaining, -each.reset_in), default=None)

    @property
    def refused_by(self) -> Balance | None:
        return self.tightest if self.tightest and self.tightest.spent else None

    @property
    def admitted(self) -> bool:
        return not self.refused_by and (bool(self.covering) or self.admits_uncovered)


class Engine:
    """`policy` answers the policy in force, which may be another one at each call."""

    def __init__(
        self,
        policy: Callable[[], Policy],
        store: Store,
        *,
        admits_uncovered: bool = False,
        charge_patience: float = 30,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._policy = policy
        self._store = store
        self._admits_uncovered = admits_uncovered
        self._charge_patience = charge_patience
        self._clock = clock
        self._charging: dict[str, asyncio.Task[None]] = {}

    async def check(self, descriptors: Sequence[Entries]) -> Decision:
        """Raises StoreAway."""
        policy = self._policy()
        budgets = [policy.match(entries) for entries in descriptors]
        known = {budget.entries: balance for budget, balance in await self._balances([each for each in budgets if each])}
        return Decision(tuple(known[each.entries] if each else None for each in budgets), self._admits_uncovered)

    async def charge(self, costs: Sequence[tuple[Entries, int]], request_id: str | None = None) -> None:
        """Add what a call used. A request's id makes it count once, however often the gateway repeats the charge.

        While the store is away it tries again for `charge_patience` seconds, also when the caller has given up waiting;
        a repeated charge joins the one under way. Raises StoreAway after that, and logs what was lost.
        """
        charge_id = request_id or str(uuid.uuid4())
        task = self._charging.get(charge_id)
        if task is None:
            task = self._charging[charge_id] = asyncio.create_task(self._charge(costs, charge_id))
            task.add_done_callback(lambda _: self._charging.pop(charge_id, None))
        await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait for the charges that are under way."""
        await asyncio.gather(*self._charging.values(), return_exceptions=True)

    async def status(self) -> list[Balance]:
        """Every budget that the policy spells out, and every other one that has been charged. Raises StoreAway."""
        policy = self._policy()
        budgets = {budget.entries: budget for budget in policy.fixed_budgets()}
        for entries in await self._store.charged_entries():
            budget = policy.match(entries)
            if budget:
                budgets.setdefault(entries, budget)
        balances = [balance for _, balance in await self._balances(list(budgets.values()))]
        return sorted(balances, key=lambda balance: (tuple(balance.budget.subject.items()), balance.reset_at))

    async def reset(self, key: str, value: str) -> list[Balance]:
        """Empty every budget whose subject has this value for this key; the budgets as they were. Raises StoreAway."""
        budgets = [each.budget for each in await self.status() if each.budget.subject.get(key) == value]
        now = self._clock()
        taken = await self._store.take([self._store.counter(budget, now) for budget in budgets])
        return [_balance(budget, used, now) for budget, used in zip(budgets, taken, strict=True)]

    async def _balances(self, budgets: Sequence[Budget]) -> list[tuple[Budget, Balance]]:
        now = self._clock()
        used = await self._store.used([self._store.counter(budget, now) for budget in budgets])
        return [(budget, _balance(budget, spent, now)) for budget, spent in zip(budgets, used, strict=True)]

    async def _charge(self, costs: Sequence[tuple[Entries, int]], charge_id: str) -> None:
        amounts: dict[Counter, int] = {}
        named: dict[str, int] = {}
        now, policy = self._clock(), self._policy()
        for entries, tokens in costs:
            budget = policy.match(entries)
            if budget:
                counter = self._store.counter(budget, now)
                amounts[counter] = amounts.get(counter, 0) + tokens
                named[budget.id] = amounts[counter]
        if not amounts:
            return
        try:
            await self._until_store_answers(charge_id, amounts)
        except StoreAway as error:
            log.error("charge lost: request=%s tokens=%s: the store cannot be used (%s)", charge_id, named, error)
            raise
        log.info("charged: request=%s tokens=%s", charge_id, named)

    async def _until_store_answers(self, charge_id: str, amounts: dict[Counter, int]) -> None:
        patience = AsyncRetrying(
            retry=retry_if_exception_type(StoreAway),
            stop=stop_after_delay(self._charge_patience),
            wait=wait_random_exponential(multiplier=0.05, max=1),
            reraise=True,
        )
        async for attempt in patience:
            with attempt:
                await self._store.charge(charge_id, amounts)


def _balance(budget: Budget, used: int, now: float) -> Balance:
    window = window_at(budget.unit, now)
    return Balance(budget, used, window.seconds_left(now), window.end)
