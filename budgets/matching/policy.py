"""The policy: which budgets a call falls under."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from budgets.budget import Budget, Entries
from budgets.documents.dimensions import beyond_our_gateway
from budgets.documents.reading import Documents, read_policy
from budgets.matching.nodes import Node
from budgets.matching.readings import holder, readings, with_both_names
from budgets.matching.subjects import ANY, SubjectIndex, SubjectRule, rules_of
from budgets.matching.trees import Match, Tree

KEPT = 20_000
"""Budgets that are kept built, so that a caller who comes again finds its own ready."""

OF_THE_REQUEST = frozenset({"model", "provider"})
"""Dimensions that a caller chooses with each request, and so has none of by itself."""


@dataclass(frozen=True)
class Call:
    """What a gateway asks about, without the reserved entries."""

    descriptors: tuple[Entries, ...]
    described: bool = False
    """Whether there is one descriptor, of which the entries are the call's dimensions."""

    @cached_property
    def dimensions(self) -> Mapping[str, str]:
        """All that is known of the call; of a key with several values the first."""
        return {key: value for entries in reversed(self.descriptors) for key, value in reversed(entries)}


@dataclass(frozen=True)
class Applying:
    """A budget that a call falls under."""

    budget: Budget
    descriptor: int
    """The index of the descriptor by which it was found: that descriptor's hits are what the budget is charged."""


class Policy:
    """Every budget that the documents of a policy state. Raises PolicyError when built from wrong ones."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self._trees = _trees(documents)
        self._rules = [rule for document in documents.budgets for rule in rules_of(document)]
        self._by_name = {rule.name: rule for rule in self._rules}
        self._subjects = SubjectIndex(self._rules)
        self._of_node = lru_cache(KEPT)(Node.budget)
        self._of_rule = lru_cache(KEPT)(SubjectRule.budget)
        self._known = lru_cache(KEPT)(self._applying)

    @classmethod
    def read(cls, path: Path, domain: str | None = None) -> "Policy":
        """A file or a folder, for the rate-limit domain that is served. Raises PolicyError."""
        return cls(read_policy(path, domain))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its author should know, a sentence each."""
        return (*self.documents.ignored, *beyond_our_gateway(self.documents))

    def _applying(self, call: Call) -> tuple[Applying, ...]:
        found: dict[str, Applying] = {}
        if call.described:
            for _, budget in self._of_dimensions(with_both_names(call.descriptors[0])):
                found[budget.key] = Applying(budget, 0)
            return tuple(found.values())
        for match in self._matches(call):
            if match.node.limit:
                budget = self._of_node(match.node, match.entries)
                found.setdefault(budget.key, Applying(budget, match.descriptor))
        for reading in readings(call.descriptors):
            for rule in self._subjects.matching(reading):
                budget = self._of_rule(rule, rule.values(reading))
                found.setdefault(budget.key, Applying(budget, holder(call.descriptors, budget.subject)))
        return tuple(found.values())

    def applying(self, call: Call) -> tuple[Applying, ...]:
        """Each budget that the call falls under, once."""
        return self._known(call)

    def exempts(self, call: Call) -> bool:
        """Whether a descriptor lets the call through without a limit, so that it may go ahead though no budget applies."""
        return any(match.node.unlimited for match in self._matches(call))

    def spelled_out(self) -> Iterator[Budget]:
        """The budgets of which the policy names the whole subject."""
        for tree in self._trees:
            for node in tree.nodes():
                if node.limit and not node.open:
                    yield self._of_node(node, tuple((key, value or "") for key, value in node.steps))
        for rule in self._rules:
            if not rule.open:
                yield self._of_rule(rule, ())

    def budgets(self) -> Iterator[Budget]:
        """Every budget of the policy, with `*` for what has a budget of its own for each value."""
        for tree in self._trees:
            for node in tree.nodes():
                if node.limit:
                    yield node.budget(tuple((key, value or ANY) for key, value in node.steps))
        for rule in self._rules:
            yield rule.budget((ANY,) * len(rule.open))

    def restore(self, key: str) -> Budget | None:
        """The budget that a counter belongs to, by the key that it once had; None where the policy has it no more."""
        found: list[Budget | None] = []
        match json.loads(key):
            case [_, _, entries]:
                found = [tree.budget(tuple((name, value) for name, value in entries)) for tree in self._trees]
            case [name, _, _, subject] if rule := self._by_name.get(name):
                values = dict(subject)
                found = [rule.budget(rule.values(values))] if values.keys() >= set(rule.open) else []
        return next((budget for budget in found if budget and budget.key == key), None)

    def for_caller(self, dimensions: Mapping[str, str]) -> tuple[Budget, ...]:
        """The budgets of a caller, whatever it asks for: also each for one model or provider, where the policy names that."""
        known = with_both_names(dimensions)
        chosen = OF_THE_REQUEST - known.keys()
        found = {
            budget.key: budget
            for reading in self._spelled(chosen)
            for rule, budget in self._of_dimensions({**known, **reading})
            if chosen.isdisjoint(rule.open)
        }
        return tuple(found.values())

    def _of_dimensions(self, dimensions: Mapping[str, str]) -> Iterator[tuple[Node | SubjectRule, Budget]]:
        for tree in self._trees:
            for match in tree.matching(tree.asked_about(dimensions)):
                if match.node.limit:
                    yield match.node, self._of_node(match.node, match.entries)
        for rule in self._subjects.matching(dimensions):
            yield rule, self._of_rule(rule, rule.values(dimensions))

    def _matches(self, call: Call) -> Iterator[Match]:
        for tree in self._trees:
            asked = tree.asked_about(with_both_names(call.descriptors[0])) if call.described else call.descriptors
            yield from tree.matching(asked)

    def _spelled(self, chosen: frozenset[str]) -> list[dict[str, str]]:
        """Every choice of these dimensions that some rule names, and none of them chosen."""
        rules: list[Node | SubjectRule] = [*self._rules, *(node for tree in self._trees for node in tree.nodes())]
        choices = [{key: value for key, value in rule.spelled.items() if key in chosen} for rule in rules]
        return [dict(choice) for choice in {tuple(sorted(each.items())) for each in ({}, *choices)}]


def _trees(documents: Documents) -> list[Tree]:
    """One for each namespace, so that a team's exact value does not take the place of the platform's limit."""
    namespaces = dict.fromkeys(document.namespace for document in documents.trees)
    return [
        Tree(
            [document for document in documents.trees if document.namespace == namespace],
            "" if namespace == documents.namespace else f"{namespace}/",
        )
        for namespace in namespaces
    ]
