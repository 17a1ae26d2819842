"""Budgets for tests, made without a policy."""

from budgets.budget import PICO, Action, Budget, Measure
from budgets.windows import FixedWindow, RollingWindow, Unit, Window

MONTH = FixedWindow(Unit.MONTH)
DAY = RollingWindow(Unit.DAY)


def budget(
    name: str = "b",
    limit: int = 1000,
    window: Window = MONTH,
    *,
    action: Action = Action.BLOCK,
    measure: Measure = Measure.TOKENS,
    team: str = "dba",
) -> Budget:
    """Its limit is in tokens or dollars."""
    counted = limit * PICO if measure is Measure.USD else limit
    return Budget(f"{name}/{team}", name, f"{name}:{team}:{window.name}", {"team": team}, counted, measure, window, action)
