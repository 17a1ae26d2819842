"""What Prometheus reads. Labels are budgets, teams and models, never users: those would be too many, and stand in the log."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Protocol

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from budgets.budget import PICO, Budget, Measure, Usage

MOST_MODELS = 1000
MOST_UNPRICED_MODELS = 100
"""Models that are told apart. Callers choose the names, and a model that has a price cannot be invented as easily."""

LONGEST_MODEL = 200

OTHER = "other"

_STORE_SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)


class Balance(Protocol):
    """How a budget stands; figures in what it counts."""

    @property
    def budget(self) -> Budget: ...

    @property
    def used(self) -> int: ...

    @property
    def reserved(self) -> int: ...

    @property
    def remaining(self) -> int: ...


class Metrics:
    """Each has a registry of its own, so that several services can be in one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._models = _ModelNames()
        self._refusals = self._counter("budgets_refusals", "Calls refused.", "budget", "team", "reason")
        self._charges = self._counter("budgets_charges", "Charges of a budget.", "budget", "team")
        self._tokens = self._counter(
            "budgets_tokens", "Tokens used; cached ones are part of the input.", "team", "model", "kind"
        )
        self._cost = self._counter("budgets_cost_usd", "What calls cost, in dollars.", "team", "model")
        self._waved_through = self._counter("budgets_waved_through", "Calls let through unchecked: the store was away.")
        self._reservations = self._counter("budgets_reservations", "Reservations that ended, by how.", "outcome")
        self._store_seconds = Histogram(
            "budgets_store_seconds", "How long the store took.", ["operation"], buckets=_STORE_SECONDS, registry=self._registry
        )
        # prometheus_client's own look-up takes a lock, and longer than the count.
        self._counted = lru_cache(4096)(Counter.labels)
        self._timed = lru_cache(64)(self._store_seconds.labels)

    def refused(self, rule: str, team: str, reason: str) -> None:
        """`rule` is that of the budget that refused, empty where none did; `reason` one of the service's own codes."""
        self._counted(self._refusals, rule, team, reason).inc()

    def charged(self, budget: Budget) -> None:
        self._counted(self._charges, budget.rule, _team(budget)).inc()

    def used(self, dimensions: Mapping[str, str], usage: Usage, picodollars: int | None) -> None:
        """What a call of these dimensions used; without a cost where the model has no price."""
        team = dimensions.get("team", "")
        model = self._models.label(dimensions.get("model", ""), priced=picodollars is not None)
        for kind in ("input", "output", "cached", "unsplit"):
            if tokens := getattr(usage, kind):
                self._counted(self._tokens, team, model, kind).inc(tokens)
        if picodollars is not None:
            self._counted(self._cost, team, model).inc(picodollars / PICO)

    def waved_through(self) -> None:
        self._waved_through.inc()

    def reservation(self, outcome: str) -> None:
        """`committed` by its charge, `released`, `estimated` (the caller hung up) or `expired`."""
        self._counted(self._reservations, outcome).inc()

    def store_seconds(self, operation: str) -> AbstractContextManager[object]:
        """Times what is done inside of it."""
        return self._timed(operation).time()

    def render(self, balances: Iterable[Balance]) -> tuple[bytes, str]:
        """The body and the content type of the answer to a scrape."""
        standing = CollectorRegistry()
        standing.register(_Standing(balances))
        return generate_latest(self._registry) + generate_latest(standing), CONTENT_TYPE_LATEST

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self._registry)


class _Standing:
    """How budgets stand at a scrape. Subjects of one rule and one team are summed; the ratio is that of the tightest."""

    def __init__(self, balances: Iterable[Balance]) -> None:
        self._by_labels: dict[tuple[str, str, str], list[Balance]] = {}
        for balance in balances:
            budget = balance.budget
            self._by_labels.setdefault((budget.rule, _team(budget), budget.measure.value), []).append(balance)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        labels = ("budget", "team", "unit")
        used = GaugeMetricFamily("budgets_used", "Spent in the windows that run now.", labels=labels)
        limit = GaugeMetricFamily("budgets_limit", "What may be spent in a window.", labels=labels)
        reserved = GaugeMetricFamily("budgets_reserved", "Held for calls under way.", labels=labels)
        ratio = GaugeMetricFamily("budgets_remaining_ratio", "The part of the limit that is left, 0 to 1.", labels=labels)
        for values, balances in self._by_labels.items():
            used.add_metric(values, sum(_figure(each.budget, each.used) for each in balances))
            limit.add_metric(values, sum(_figure(each.budget, each.budget.limit) for each in balances))
            reserved.add_metric(values, sum(_figure(each.budget, each.reserved) for each in balances))
            ratio.add_metric(values, min(_ratio(each) for each in balances))
        yield from (used, limit, reserved, ratio)


class _ModelNames:
    def __init__(self) -> None:
        self._known: dict[bool, set[str]] = {True: set(), False: set()}

    def label(self, model: str, *, priced: bool) -> str:
        known, most = self._known[priced], MOST_MODELS if priced else MOST_UNPRICED_MODELS
        if model in known:
            return model
        if len(known) >= most or len(model) > LONGEST_MODEL:
            return OTHER
        known.add(model)
        return model


def _team(budget: Budget) -> str:
    return budget.subject.get("team", "")


def _figure(budget: Budget, value: int) -> float:
    return value / PICO if budget.measure is Measure.USD else float(value)


def _ratio(balance: Balance) -> float:
    return balance.remaining / balance.budget.limit if balance.budget.limit else 0.0
