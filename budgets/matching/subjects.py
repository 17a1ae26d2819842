"""Which entries of budget documents apply to a call, by its dimensions.

An entry applies when the call has every dimension of its subject with the same value, or any value where the subject says
`*`. Of two entries on the same dimensions, exact beats wildcard; but only inside a namespace, or a team could lift the
platform's budget with one of its own.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

from budgets.budget import Budget
from budgets.documents.budgets import BudgetEntry
from budgets.documents.reading import BudgetDocument

ANY = "*"


@dataclass(frozen=True, eq=False)
class SubjectRule:
    """An entry of a budget document, with a budget for each subject that it names or lets in."""

    namespace: str
    name: str
    """`namespace/document/entry`."""
    entry: BudgetEntry

    @cached_property
    def open(self) -> tuple[str, ...]:
        """The dimensions of which each value has a budget of its own."""
        return tuple(dimension for dimension, value in self.entry.subject.items() if value == ANY)

    @cached_property
    def spelled(self) -> Mapping[str, str]:
        """The dimensions whose value the entry names."""
        return {dimension: value for dimension, value in self.entry.subject.items() if value != ANY}

    def values(self, dimensions: Mapping[str, str]) -> tuple[str, ...]:
        """What a call to which the entry applies has in the open dimensions."""
        return tuple(dimensions[dimension] for dimension in self.open) if self.open else ()

    def budget(self, values: tuple[str, ...] = ()) -> Budget:
        """The budget for these values of the open dimensions."""
        entry = self.entry
        subject = {**entry.subject, **dict(zip(self.open, values, strict=True))}
        window = entry.window.window
        key = json.dumps([self.name, entry.limit.measure.value, window.name, sorted(subject.items())], ensure_ascii=False)
        name = "/".join((self.name, *values))
        return Budget(name, self.name, key, subject, entry.limit.total, entry.limit.measure, window, entry.action)


def rules_of(document: BudgetDocument) -> Iterator[SubjectRule]:
    metadata = document.content.metadata
    for entry in document.content.spec.budgets:
        yield SubjectRule(document.namespace, f"{document.namespace}/{metadata.name}/{entry.name}", entry)


class SubjectIndex:
    """Finds rules by a few dictionary look-ups, however many exact subjects there are."""

    def __init__(self, rules: Iterable[SubjectRule]) -> None:
        groups: dict[tuple[str, frozenset[str]], list[SubjectRule]] = {}
        for rule in rules:
            groups.setdefault((rule.namespace, frozenset(rule.entry.subject)), []).append(rule)
        self._groups = [_Group(tuple(dimensions), members) for (_, dimensions), members in groups.items()]

    def matching(self, dimensions: Mapping[str, str]) -> Iterator[SubjectRule]:
        for group in self._groups:
            yield from group.matching(dimensions)


class _Group:
    """Rules of one namespace on the same dimensions, by which of these they are exact on."""

    def __init__(self, dimensions: tuple[str, ...], rules: Iterable[SubjectRule]) -> None:
        self._dimensions = dimensions
        by_exact: dict[frozenset[str], list[SubjectRule]] = {}
        for rule in rules:
            by_exact.setdefault(frozenset(rule.spelled), []).append(rule)
        self._patterns = [_Pattern(exact, members) for exact, members in by_exact.items()]

    def matching(self, dimensions: Mapping[str, str]) -> Iterator[SubjectRule]:
        for dimension in self._dimensions:
            if not dimensions.get(dimension):
                return
        hits = [(pattern.exact, rules) for pattern in self._patterns if (rules := pattern.matching(dimensions))]
        for exact, rules in hits:
            if len(hits) == 1 or not any(exact < other for other, _ in hits):
                yield from rules


class _Pattern:
    def __init__(self, exact: frozenset[str], rules: Iterable[SubjectRule]) -> None:
        self.exact = exact
        names = sorted(exact)
        self._values = itemgetter(*names) if names else _nothing
        self._rules: dict[object, list[SubjectRule]] = {}
        for rule in rules:
            self._rules.setdefault(self._values(rule.spelled), []).append(rule)

    def matching(self, dimensions: Mapping[str, str]) -> list[SubjectRule] | None:
        return self._rules.get(self._values(dimensions))


def _nothing(dimensions: Mapping[str, str]) -> object:
    return None
