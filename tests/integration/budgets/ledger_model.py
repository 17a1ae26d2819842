"""What the budgets must hold, in plain Python: every spend and every reservation is a row, and a sum is a sum over rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from budgets.budget import Action, Budget

Counter = tuple[str, str]
"""A budget's key and the window's start, empty for a rolling one."""


@dataclass(eq=False)
class Row:
    counter: Counter
    amount: int
    bucket: int
    call: str
    due: int = 0
    """What is charged where no charge comes: the estimate, which the cap on what may be held does not bound."""


@dataclass
class Model:
    burst: int
    spends: list[Row] = field(default_factory=list)
    reserved: list[Row] = field(default_factory=list)
    deadlines: dict[str, float] = field(default_factory=dict)
    estimates: dict[str, list[Row]] = field(default_factory=dict)
    """By call: spend that a charge may still replace."""
    charged: set[str] = field(default_factory=set)
    horizon: dict[Counter, int] = field(default_factory=dict)
    """The oldest bucket that ever had to count no more; time does not bring back what has left."""

    def used(self, budget: Budget, now: float) -> int:
        counter = self._look(budget, now)
        return sum(row.amount for row in self.spends if row.counter == counter)

    def held(self, budget: Budget, now: float) -> int:
        counter = self._look(budget, now)
        return sum(row.amount for row in self.reserved if row.counter == counter)

    def check(self, call: str, costs: Mapping[Budget, int], now: float, deadline: float) -> bool:
        totals = {budget: self.used(budget, now) + self.held(budget, now) for budget in costs}
        known = call in self.deadlines or call in self.estimates or call in self.charged
        if known:
            return True
        if any(total >= budget.limit and budget.action is Action.BLOCK for budget, total in totals.items()):
            return False
        for budget, cost in costs.items():
            amount = min(cost, max(1, budget.limit // self.burst))
            self.reserved.append(Row(self._counter(budget, now), amount, budget.window.place(now).bucket, call, cost))
        self.deadlines[call] = deadline
        return True

    def charge(self, call: str, costs: Mapping[Budget, int], now: float) -> None:
        if call in self.charged:
            return
        self._drop(call)
        for row in self.estimates.pop(call, []):
            if row in self.spends:
                self.spends.remove(row)
        self.charged.add(call)
        for budget, cost in costs.items():
            self._look(budget, now)
            self._spend(Row(self._counter(budget, now), cost, budget.window.place(now).bucket, call))

    def release(self, call: str) -> None:
        if call in self.deadlines:
            self._drop(call)
            self.charged.add(call)

    def commit(self, call: str) -> None:
        if call in self.deadlines:
            self.estimates[call] = self._drop(call)
            for row in self.estimates[call]:
                row.amount = row.due
                self._spend(row)

    def expire(self, now: float) -> None:
        for call in [call for call, deadline in self.deadlines.items() if deadline <= now]:
            self.commit(call)

    def reset(self, budget: Budget, now: float) -> None:
        counter = self._look(budget, now)
        self.spends = [row for row in self.spends if row.counter != counter]

    def _drop(self, call: str) -> list[Row]:
        rows = [row for row in self.reserved if row.call == call]
        self.reserved = [row for row in self.reserved if row.call != call]
        self.deadlines.pop(call, None)
        return rows

    def _spend(self, row: Row) -> None:
        self.horizon.setdefault(row.counter, row.bucket)
        row.bucket = max(row.bucket, self.horizon[row.counter])
        self.spends.append(row)

    def _look(self, budget: Budget, now: float) -> Counter:
        """Whatever is asked of a counter lets go of what has left its window."""
        counter, first = self._counter(budget, now), budget.window.place(now).first
        if counter in self.horizon and self.horizon[counter] < first:
            self.horizon[counter] = first
            self.spends = [row for row in self.spends if row.counter != counter or row.bucket >= first]
        return counter

    @staticmethod
    def _counter(budget: Budget, now: float) -> Counter:
        return budget.key, budget.window.place(now).span
