"""The descriptors of a tree: what leads to each, and the budgets that stand there."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from budgets.budget import Budget, Entries, Measure
from budgets.documents.descriptors import Limit, TreeDocument
from budgets.documents.found import Location
from budgets.windows import FixedWindow

Steps = tuple[tuple[str, str | None], ...]
"""A path down the tree: (key, value), with no value where any will do."""

WILDCARD = "*"


def fits(value: str, wanted: str | None) -> bool:
    """Whether a value is what a descriptor wants, exactly or by a wildcard; without a value it wants any."""
    return wanted in (None, value) or (wanted.endswith(WILDCARD) and value.startswith(wanted.removesuffix(WILDCARD)))


class Level:
    """The descriptors side by side at one level."""

    def __init__(self) -> None:
        self._exact: dict[tuple[str, str | None], Node] = {}
        self._wildcards: dict[str, list[Node]] = {}

    def add(self, node: "Node") -> "Node":
        """Its twin, where the same key and value stand here already; else itself."""
        key, value = step = node.steps[-1]
        before = self._exact.setdefault(step, node)
        if before is node and value is not None and value.endswith(WILDCARD):
            self._wildcards.setdefault(key, []).append(node)
        return before

    def find(self, key: str, value: str) -> "Node | None":
        """An exact value, else the first wildcard that fits, else the key without a value."""
        node = self._exact.get((key, value))
        if node is None and key in self._wildcards:
            node = next((each for each in self._wildcards[key] if fits(value, each.steps[-1][1])), None)
        return node or self._exact.get((key, None))

    def __iter__(self) -> Iterator["Node"]:
        return iter(self._exact.values())


@dataclass(eq=False)
class Node:
    """A descriptor of the tree."""

    document: TreeDocument
    location: Location
    steps: Steps
    limit: Limit | None
    unlimited: bool = False
    name: str | None = None
    replaces: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    """Keys that are the same for everybody, and so no part of a subject."""
    prefix: str = ""
    """What the names of its budgets start with."""
    below: Level = field(default_factory=Level)

    @cached_property
    def open(self) -> frozenset[str]:
        """The keys of which each value has a budget of its own."""
        return frozenset(key for key, value in self.steps if value is None or value.endswith(WILDCARD))

    @cached_property
    def spelled(self) -> Mapping[str, str]:
        """The keys whose value the tree names."""
        return {key: value for key, value in self.steps if value is not None and key not in self.open}

    @cached_property
    def rule(self) -> str:
        """As a budget's id, with `key=*` in place of the values that the tree leaves open."""
        shown = (f"{key}=*" if value is None else value for key, value in self.steps if key not in self.hidden)
        return self._named(tuple(shown))

    def budget(self, entries: Entries) -> Budget:
        """The budget of those to whom these entries, which lead here, belong."""
        assert self.limit  # noqa: S101  asked of limits only
        subject = {key: value for key, value in entries if key not in self.hidden}
        window = FixedWindow(self.limit.unit)
        key = json.dumps([self.prefix, window.name, entries], ensure_ascii=False)
        name = self._named(tuple(subject.values()))
        return Budget(name, self.rule, key, subject, self.limit.amount, Measure.TOKENS, window, self.limit.action)

    def _named(self, values: tuple[str, ...]) -> str:
        unit = (self.limit.unit.value,) if self.limit else ()
        return self.prefix + "/".join((self.document.name, *values, *unit))

    def counting(self) -> Iterator["Node"]:
        """Itself and every node below that limits or lets through."""
        if self.limit or self.unlimited:
            yield self
        for child in self.below:
            yield from child.counting()
