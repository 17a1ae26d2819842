"""Which limits of the descriptor trees apply, with the matching of envoyproxy/ratelimit.

Level by level, an exact value comes before a value with a wildcard at its end (`foo*`), and that before a key without a
value; the limit must stand at the very depth of the descriptor's last entry. All documents of one namespace make one tree.
Source: the README of envoyproxy/ratelimit, and its `src/config/config_impl.go` for what that leaves open.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from budgets.budget import Budget, Entries
from budgets.documents.descriptors import Asked, Descriptor, TreeDocument
from budgets.documents.found import Location
from budgets.documents.reserved import RESERVED
from budgets.matching.nodes import Level, Node, Steps, fits
from service.yaml_files import place_in


class Match(NamedTuple):
    """A node of the tree, which may limit, let through or do neither, and what led to it."""

    node: Node
    entries: Entries
    descriptor: int
    """The index of the descriptor that was asked about."""


class Tree:
    """All descriptors of one namespace. Raises PolicyError when built from wrong ones."""

    def __init__(self, documents: Sequence[TreeDocument], prefix: str = "") -> None:
        self._prefix = prefix
        self._top = Level()
        asked = [each for document in documents for each in document.asked]
        self._constant = frozenset(each.key for descriptor in asked for each in descriptor if each.constant is not None)
        for document in documents:
            for number, descriptor in enumerate(document.descriptors):
                self._add(self._top, descriptor, document, (*document.location, number), ())
        self._replaces = any(node.replaces for node in self.nodes())
        _refuse_what_is_never_asked(self.nodes(), asked)
        by_keys = (
            tuple(Asked(key, dimension=key) for key, _ in node.steps) for node in self.nodes() if not node.document.asked
        )
        self._asked = tuple(dict.fromkeys((*asked, *by_keys)))

    def nodes(self) -> Iterator[Node]:
        """Every one that limits or lets through."""
        for node in self._top:
            yield from node.counting()

    def asked_about(self, dimensions: Mapping[str, str]) -> Iterator[Entries]:
        """The descriptors that a call with these dimensions is asked about with."""
        for asked in self._asked:
            entries = []
            for each in asked:
                value = each.constant if each.dimension is None else dimensions.get(each.dimension)
                if value is None:
                    break
                entries.append((each.key, value))
            else:
                yield tuple(entries)

    def matching(self, descriptors: Iterable[Entries]) -> list[Match]:
        """Where each descriptor leads, without those that another of them replaces."""
        matches = [
            Match(node, entries, number)
            for number, entries in enumerate(descriptors)
            if (node := self._find(entries)) is not None
        ]
        if self._replaces:
            replaced = {name for match in matches for name in match.node.replaces}
            return [match for match in matches if match.node.name not in replaced]
        return matches

    def budget(self, entries: Entries) -> Budget | None:
        """The budget of those to whom these entries belong, if they lead to a limit."""
        node = self._find(entries)
        return node.budget(entries) if node and node.limit else None

    def _find(self, entries: Entries) -> Node | None:
        level, node = self._top, None
        for key, value in entries:
            node = level.find(key, value)
            if node is None:
                return None
            level = node.below
        return node

    def _add(self, level: Level, descriptor: Descriptor, document: TreeDocument, location: Location, above: Steps) -> None:
        if descriptor.key in RESERVED:
            raise document.found.error((*location, "key"), f"{descriptor.key!r} is reserved for the gateway's own messages")
        node = Node(
            document,
            location,
            (*above, (descriptor.key, descriptor.value or None)),  # as in envoyproxy/ratelimit, an empty value is none
            descriptor.limit,
            descriptor.unlimited,
            descriptor.name,
            frozenset(descriptor.replaces),
            self._constant,
            self._prefix,
        )
        twin = level.add(node)
        if twin is not node:
            there = f"{'' if twin.document is document else f'{twin.document.found.file}: '}{place_in(twin.location)}"
            raise document.found.error(location, f"the same key and value stand at {there} already")
        if not (descriptor.limit or descriptor.unlimited or descriptor.descriptors):
            raise document.found.error(location, "sets no rateLimit and has no descriptors below it")
        for number, child in enumerate(descriptor.descriptors):
            self._add(node.below, child, document, (*location, "descriptors", number), node.steps)


def _refuse_what_is_never_asked(nodes: Iterable[Node], asked: Sequence[tuple[Asked, ...]]) -> None:
    """A limit that no rateLimits entry asks for would never be enforced, in silence; a misspelt key is such a one."""
    for node in nodes:
        if node.document.asked and not any(_reaches(each, node.steps) for each in asked):
            spelled = ", ".join(key if value is None else f"{key}={value}" for key, value in node.steps)
            raise node.document.found.error(node.location, f"no entry of spec.raw.rateLimits asks for ({spelled})")


def _reaches(asked: tuple[Asked, ...], steps: Steps) -> bool:
    return len(asked) == len(steps) and all(
        each.key == key and (each.constant is None or fits(each.constant, value))
        for each, (key, value) in zip(asked, steps, strict=True)
    )
