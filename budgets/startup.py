"""What the log says at start: every budget, and what could go wrong with it."""

import logging
from collections.abc import Iterable

from budgets.answers import spoken, unit
from budgets.budget import Action, Budget, Measure
from budgets.rules import Rules

log = logging.getLogger("budgets")


def say_budgets(rules: Rules, models: Iterable[str]) -> None:
    budgets = list(rules.policy.budgets())
    for budget in budgets:
        log.info("budget %s", described(budget))
    priced_by = [budget for budget in budgets if budget.measure is Measure.USD]
    if priced_by:
        _say_unpriced(rules, priced_by, {*models, *_named_models(budgets)})


def described(budget: Budget) -> str:
    """`team-token-budget/dba/hour (team=dba): 5,000 tokens a calendar hour`"""
    window, audited = budget.window, ", audited" if budget.action is Action.AUDIT else ""
    subject = ", ".join(f"{name}={value}" for name, value in budget.subject.items()) or "all together"
    limit = f"{spoken(budget, budget.limit)} {unit(budget)}"
    return f"{budget.id} ({subject}): {limit} a {window.alignment} {window.unit.value}{audited}"


def _named_models(budgets: Iterable[Budget]) -> set[str]:
    """Without those of which the policy names only how they begin."""
    names = {budget.subject["model"] for budget in budgets if "model" in budget.subject}
    return {name for name in names if not name.endswith("*")}


def _say_unpriced(rules: Rules, priced_by: list[Budget], models: set[str]) -> None:
    unpriced = sorted(model for model in models if rules.prices.of(model) is None)
    if not unpriced:
        return
    blocking = [budget.id for budget in priced_by if budget.action is Action.BLOCK]
    consequence = (
        f"calls for them are refused where {', '.join(blocking)} applies" if blocking else "calls for them cost nothing"
    )
    log.warning("models without a price: %s; %s. Add them to a catalog.json of the policy", ", ".join(unpriced), consequence)
