"""What a check decides, and how each budget stood at that moment."""

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import NamedTuple

from budgets.budget import Action, Budget
from budgets.stores.store import Tally


class Balance(NamedTuple):
    """A budget at one moment."""

    budget: Budget
    used: int
    reserved: int
    reset_at: int
    """When a spent budget has room again, in seconds since the epoch; else when all that is spent now has left it."""
    reset_in: int
    """The same in whole seconds from now."""
    burn_rate: float = 0
    """What was spent a second, of late."""

    @classmethod
    def of(cls, budget: Budget, tally: Tally, now: float) -> "Balance":
        reset_at = budget.window.resets_at(now, tally.room_after)
        return cls(budget, tally.used, tally.reserved, reset_at, max(1, -int(-(reset_at - now) // 1)), tally.burn_rate(now))

    @property
    def remaining(self) -> int:
        return max(0, self.budget.limit - self.used - self.reserved)

    @property
    def spent(self) -> bool:
        return self.used >= self.budget.limit

    @property
    def has_room(self) -> bool:
        return self.remaining > 0

    @property
    def share_left(self) -> float:
        """By which budgets in tokens and in dollars compare."""
        return self.remaining / self.budget.limit if self.budget.limit else 0.0


def by_room(balance: Balance) -> tuple[bool, float, int]:
    """Sorts the tightest first. Of spent ones that is the one that resets last, of others the one that resets first."""
    return not balance.spent, balance.share_left, -balance.reset_in if balance.spent else balance.reset_in


class Refusal(Enum):
    """Why a call may not go ahead; the values are codes in the body of the answer."""

    SPENT = "budget_exhausted"
    RESERVED = "budget_reserved"
    """There is money left, but calls under way may need all of it."""
    UNCOVERED = "no_budget"
    UNPRICED = "model_unpriced"


@dataclass(frozen=True)
class Decision:
    """`found_by` says for each balance by which of the call's descriptors it was found."""

    balances: tuple[Balance, ...] = ()
    found_by: tuple[int, ...] = ()
    refusal: Refusal | None = None
    model: str | None = None
    """The model that the caller asked for, where it is the reason."""

    @property
    def admitted(self) -> bool:
        return self.refusal is None

    @property
    def blocking(self) -> list[Balance]:
        return [balance for balance in self.balances if balance.budget.action is Action.BLOCK]

    @cached_property
    def tightest(self) -> Balance | None:
        """Of several spent budgets the one that resets last: before that, the caller need not try again."""
        return min(self.blocking, key=by_room, default=None)

    def tightest_of(self, descriptor: int) -> Balance | None:
        """Of the budgets that were found by one of the call's descriptors."""
        if not any(self.found_by):
            return self.tightest if descriptor == 0 else None
        found = (balance for balance, by in zip(self.balances, self.found_by, strict=True) if by == descriptor)
        return Decision(tuple(found)).tightest

    @property
    def refused_by(self) -> Balance | None:
        return self.tightest if self.refusal in {Refusal.SPENT, Refusal.RESERVED} else None
