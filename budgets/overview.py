"""What people ask about the budgets: how all of them stand, how a caller's own stand; and to reset or raise one."""

import time
from collections.abc import Callable, Iterable, Mapping

from budgets.budget import Budget, counted
from budgets.decision import Balance, by_room
from budgets.raises import Raise, Raises
from budgets.rules import Rules
from budgets.stores.store import Store


class Overview:
    """Every method raises StoreAway."""

    def __init__(
        self, rules: Callable[[], Rules], store: Store, raises: Raises, clock: Callable[[], float] = time.time
    ) -> None:
        self._rules = rules
        self._store = store
        self._raises = raises
        self._clock = clock

    async def all(self) -> list[Balance]:
        """Every budget that the policy spells out, and every other one that has been charged."""
        return sorted(await self._balances(await self._known()), key=_order)

    async def spelled_out(self) -> list[Balance]:
        """For metrics: the budgets that the policy names, whose number does not grow with the users."""
        return await self._balances(self._rules().policy.spelled_out())

    async def of_caller(self, dimensions: Mapping[str, str]) -> list[Balance]:
        """Every budget that applies to who calls, the tightest first."""
        balances = await self._balances(self._rules().policy.for_caller(dimensions))
        return sorted(balances, key=by_room)

    async def reset(self, chosen: Callable[[Budget], bool]) -> list[Balance]:
        """Empty the budgets that are chosen, in the windows that run now; the budgets as they were."""
        budgets = [self._raises.applied(budget) for budget in await self._known() if chosen(budget)]
        now = self._clock()
        tallies = await self._store.reset(budgets, now)
        return sorted((Balance.of(each, tally, now) for each, tally in zip(budgets, tallies, strict=True)), key=_order)

    async def raise_limit(self, budget_id: str, limit: int | str, windows: int) -> tuple[Balance, Raise] | None:
        """Another limit, in tokens or dollars, for a number of windows; the budget as it is then.

        None where there is no such budget. Raises ValueError where that is no limit for it.
        """
        budget = next((each for each in await self._known() if each.id == budget_id), None)
        if budget is None:
            return None
        raised = await self._raises.raise_limit(budget, counted(budget, limit), windows)
        return (await self._balances([budget]))[0], raised

    async def _known(self) -> Iterable[Budget]:
        policy = self._rules().policy
        budgets = {budget.key: budget for budget in policy.spelled_out()}
        for key in await self._store.charged_keys():
            budget = policy.restore(key)
            if budget:
                budgets.setdefault(key, budget)
        return budgets.values()

    async def _balances(self, budgets: Iterable[Budget]) -> list[Balance]:
        now = self._clock()
        raised = [self._raises.applied(budget) for budget in budgets]
        tallies = await self._store.read(raised, now)
        return [Balance.of(budget, tally, now) for budget, tally in zip(raised, tallies, strict=True)]


def _order(balance: Balance) -> tuple[tuple[tuple[str, str], ...], int, str]:
    return tuple(balance.budget.subject.items()), balance.reset_at, balance.budget.id
