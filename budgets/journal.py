"""What is written down of every decision and every charge: a line in the log, and a figure in the metrics.

A line about a spent budget has the fields of Solo's gateway (`budget_id budget_action budget_unit budget_limit budget_window
phase outcome`), so that alerts made for it find ours. Users stand in the log only: as a label they would be too many.
"""

import json
import logging
from collections.abc import Mapping, Sequence

from budgets.answers import amount
from budgets.budget import Action, Budget, Usage
from budgets.decision import Balance, Decision, Refusal
from budgets.matching.policy import Call
from budgets.metrics import Metrics
from budgets.pricing.prices import usd
from budgets.quoting import logged_name
from budgets.stores.store import Lapsed
from budgets.windows import Unit

log = logging.getLogger("budgets")

_WINDOW = {
    Unit.SECOND: "SECONDLY",
    Unit.MINUTE: "MINUTELY",
    Unit.HOUR: "HOURLY",
    Unit.DAY: "DAILY",
    Unit.WEEK: "WEEKLY",
    Unit.MONTH: "MONTHLY",
    Unit.YEAR: "YEARLY",
}


class Journal:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def refused(self, decision: Decision, call: Call) -> None:
        who = _who(call.dimensions)
        balance = decision.refused_by
        if balance:
            outcome = "over_limit_block" if decision.refusal is Refusal.SPENT else "reserved_block"
            log.warning("budget exceeded; blocking: %s %s", _budget(balance, "admission", outcome), who)
        elif decision.refusal is Refusal.UNPRICED:
            log.warning('model without a price; blocking: phase="admission" outcome="unpriced_block" %s', who)
        else:
            log.warning('no budget covers the caller; blocking: phase="admission" outcome="uncovered_block" %s', who)
        rule = balance.budget.rule if balance else ""
        self._metrics.refused(rule, call.dimensions.get("team", ""), decision.refusal.value if decision.refusal else "")

    def admitted(self, decision: Decision, unpriced: Sequence[bool], call: Call) -> None:
        """Says of audited budgets what would have been refused."""
        for balance, has_no_price in zip(decision.balances, unpriced, strict=True):
            if balance.budget.action is Action.BLOCK:
                continue
            if has_no_price:
                said = _budget(balance, "admission", "unpriced_audit")
                log.warning("model without a price; auditing: %s %s", said, _who(call.dimensions))
            elif not balance.has_room:
                said = _budget(balance, "admission", "over_limit_audit")
                log.warning("budget exceeded; auditing: %s %s", said, _who(call.dimensions))

    def waved_through(self, call: Call, request_id: str | None, error: Exception) -> None:
        log.error(
            "unchecked, because BUDGETS_FAIL_OPEN is set: request=%s %s: %s",
            logged_name(request_id),
            _who(call.dimensions),
            error,
        )
        self._metrics.waved_through()

    def charged(
        self,
        request: str,
        dimensions: Mapping[str, str],
        usage: Usage,
        picodollars: int | None,
        amounts: Mapping[Budget, int],
    ) -> None:
        if log.isEnabledFor(logging.INFO):
            figures = f"tokens_in={usage.input} tokens_out={usage.output} tokens_cached={usage.cached} tokens={usage.tokens}"
            cost = "unknown" if picodollars is None else usd(picodollars)
            told = {budget.id: amount(budget, spent) for budget, spent in amounts.items()}
            who = _who(dimensions)
            log.info("charged: request=%s %s %s cost_usd=%s budgets=%s", logged_name(request), who, figures, cost, _json(told))
        self._metrics.used(dimensions, usage, picodollars)
        for budget in amounts:
            self._metrics.charged(budget)
        self._metrics.reservation("committed")

    def unpriced(self, budget: Budget, dimensions: Mapping[str, str]) -> None:
        who = _who(dimensions)
        log.warning('model without a price; charged nothing: budget_id=%s phase="charge" %s', logged_name(budget.id), who)

    def ended(self, request: str, status: int, failed: bool, note: str) -> None:
        if failed:
            log.info("released: request=%s status=%s", logged_name(request), status)
        else:
            said = f"request={logged_name(request)} status={status} {_noted(note)}"
            log.warning("answered without usage, so charged its estimate: %s", said)
        self._metrics.reservation("released" if failed else "estimated")

    def expired(self, lapsed: Lapsed) -> None:
        how = "charged its estimate" if lapsed.committed else "released"
        log.warning("no charge came in time, so %s: request=%s %s", how, logged_name(lapsed.call), _noted(lapsed.note))
        self._metrics.reservation("expired")


def _budget(balance: Balance, phase: str, outcome: str) -> str:
    budget = balance.budget
    window = _WINDOW[budget.window.unit]
    return (
        f'budget_id={logged_name(budget.id)} budget_action="{budget.action.name}" budget_unit="{budget.measure.name}" '
        f'budget_limit={amount(budget, budget.limit)} budget_window="{window}" phase="{phase}" outcome="{outcome}"'
    )


def _who(dimensions: Mapping[str, str]) -> str:
    """Always team, user and model; then whatever else is known. A caller chooses the model's name, so all are quoted."""
    known = {name: dimensions.get(name, "") for name in ("team", "user", "model")} | dict(dimensions)
    return " ".join(f"{logged_name(name)}={_json(value)}" for name, value in known.items())


def _noted(note: str) -> str:
    noted = json.loads(note)
    return f"{_who(noted['dimensions'])} tokens_in={noted['input']} tokens_out={noted['output']}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=True)
