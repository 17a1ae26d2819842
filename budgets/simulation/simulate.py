"""`budgets simulate`: which calls of a past day a policy would have refused, when, for whom and at what cost.

The very engine decides, over counters in memory and with the log's clock; so a policy can be seen at work before it is armed.
"""

import asyncio
import heapq
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from budgets.answers import timestamp
from budgets.budget import Action
from budgets.charging import Charging
from budgets.decision import Decision
from budgets.documents.errors import PolicyError
from budgets.engine import Engine
from budgets.matching.policy import Call
from budgets.metrics import Metrics
from budgets.pricing.prices import usd
from budgets.quoting import logged_name
from budgets.rules import Rules
from budgets.simulation.access_log import Past, Skipped, read_log
from budgets.stores.memory import MemoryStore


@dataclass(frozen=True)
class Verdict:
    """What the policy would have said to one call."""

    past: Past
    decision: Decision
    picodollars: int | None
    """What the call cost; None where its model has no price."""

    @property
    def audited(self) -> list[str]:
        """The audited budgets that were spent: to block, they would have refused."""
        return [each.budget.id for each in self.decision.balances if each.budget.action is Action.AUDIT and not each.has_room]


@dataclass
class _Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Report:
    verdicts: list[Verdict] = field(default_factory=list)
    skipped: Skipped = field(default_factory=Skipped)

    @property
    def refused(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if not verdict.decision.admitted]


async def replay(rules: Rules, calls: Iterable[Past]) -> list[Verdict]:
    """Calls that ran side by side do so here: each is checked when it started and charged when it ended."""
    clock, store, metrics = _Clock(), MemoryStore(), Metrics()
    engine = Engine(lambda: rules, store, Charging(store, 0), metrics, clock=clock)
    under_way: list[tuple[float, int, Past]] = []
    verdicts = []

    async def end_those_before(moment: float) -> None:
        while under_way and under_way[0][0] <= moment:
            clock.now, _, past = heapq.heappop(under_way)
            await engine.charge(_call(past), [past.usage], past.request_id)

    for number, past in enumerate(sorted(calls, key=lambda each: each.started)):
        await end_those_before(past.started)
        clock.now = past.started
        decision = await engine.check(_call(past), past.request_id, past.max_tokens)
        model = past.dimensions.get("model")
        cost = rules.prices.cost(model, past.usage, past.dimensions.get("provider")) if model else None
        verdicts.append(Verdict(past, decision, cost))
        if decision.admitted:
            heapq.heappush(under_way, (past.ended, number, past))
    return verdicts


def simulate(policy: Path, log: Path, domain: str | None = None) -> None:
    """Prints the report. Raises SystemExit with one sentence where the policy or the log cannot be used."""
    try:
        rules = Rules.read(policy, domain)
    except PolicyError as error:
        raise SystemExit(f"The budget policy cannot be used. {error}") from None
    skipped = Skipped()
    try:
        with _lines(log) as lines, _silence():
            verdicts = asyncio.run(replay(rules, read_log(lines, skipped)))
    except OSError as error:
        raise SystemExit(f"{log}: the access log cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SystemExit(f"{log}: the access log is not text.") from None
    if not verdicts:
        raise SystemExit(f"{log}: no call with its usage is in it: it must be the gateway's access log, in JSON.")
    for line in report(Report(verdicts, skipped)):
        print(line)


def report(told: Report) -> Iterator[str]:
    for verdict in told.refused:
        yield _line(verdict, "refused by " + (_named(verdict.decision)))
    for verdict in told.verdicts:
        if verdict.decision.admitted and verdict.audited:
            yield _line(verdict, f"audited by {', '.join(verdict.audited)}")
    tokens = sum(verdict.past.usage.tokens for verdict in told.refused)
    cost = sum(verdict.picodollars or 0 for verdict in told.refused)
    yield f"{len(told.refused):,} of {len(told.verdicts):,} calls would have been refused: {tokens:,} tokens, {usd(cost)} USD."
    audited = sum(1 for verdict in told.verdicts if verdict.decision.admitted and verdict.audited)
    if audited:
        yield f"{audited:,} more went over an audited budget; they would be refused if it blocked."
    if unpriced := sorted({_model(each) for each in told.verdicts if each.picodollars is None}):
        yield f"Without a price, and so not in the cost: {', '.join(unpriced)}."
    if told.skipped.unused:
        yield f"{told.skipped.unused:,} calls used nothing, as refused and failed ones do, and are not replayed."
    if told.skipped.unreadable:
        yield f"{told.skipped.unreadable:,} lines are no line of an access log, and were passed over."


def _line(verdict: Verdict, outcome: str) -> str:
    who = " ".join(f"{name}={logged_name(value)}" for name, value in verdict.past.dimensions.items())
    cost = "unknown" if verdict.picodollars is None else usd(verdict.picodollars)
    return f"{timestamp(verdict.past.started)} {outcome}: {who} tokens={verdict.past.usage.tokens} cost_usd={cost}"


def _named(decision: Decision) -> str:
    if decision.refused_by:
        return decision.refused_by.budget.id
    return decision.refusal.value if decision.refusal else ""


def _model(verdict: Verdict) -> str:
    return verdict.past.dimensions.get("model", "calls that name no model")


def _call(past: Past) -> Call:
    return Call((tuple(past.dimensions.items()),), described=True)


@contextmanager
def _lines(log: Path) -> Iterator[Iterable[str]]:
    if log == Path("-"):
        yield sys.stdin
        return
    with log.open(encoding="utf-8") as file:
        yield file


@contextmanager
def _silence() -> Iterator[None]:
    """The report says what the engine would log."""
    logger = logging.getLogger("budgets")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
