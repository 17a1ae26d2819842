"""The policy: which budget a descriptor falls under.

Matching is that of envoyproxy/ratelimit: level by level, an exact value before a key without a value, and the limit must
stand at the very depth of the descriptor's last entry.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from service.rate_limit_config import Action, Descriptor, PolicyError, RateLimitConfig, Unit, read_documents
from service.yaml_files import place_in

Entries = tuple[tuple[str, str], ...]
"""A descriptor as the gateway sends it: (key, value) pairs, outermost first."""

Steps = tuple[tuple[str, str | None], ...]
"""A path down the tree: (key, value), with no value where any will do."""

REQUEST_ID = "request_id"
"""The entry by which a gateway ties a charge to its request."""

RESPONSE_STATUS = "response_status"
"""The entry of a descriptor that tells how a call ended."""

RESERVED = {REQUEST_ID, RESPONSE_STATUS}
"""Keys between the gateway and this service. They are never matched, so no policy may use them."""


@dataclass(frozen=True)
class Budget:
    """What one subject may spend in one window.

    `id` is what people read (`team-token-budget/dba/hour`); `entries` is what identifies it.
    """

    id: str
    entries: Entries
    subject: Mapping[str, str]
    limit: int
    unit: Unit


@dataclass
class _Node:
    place: str
    policy: str = ""
    limit: tuple[int, Unit] | None = None
    children: dict[tuple[str, str | None], "_Node"] = field(default_factory=dict)

    def limits(self, above: Steps = ()) -> Iterator[tuple[Steps, "_Node"]]:
        """Every node below that holds a limit, with the steps that lead to it."""
        for step, child in self.children.items():
            if child.limit:
                yield (*above, step), child
            yield from child.limits((*above, step))


class Policy:
    """All budgets of one domain, from every document of one file. Raises PolicyError when built from a wrong one."""

    def __init__(self, file: Path, documents: tuple[RateLimitConfig, ...]) -> None:
        self._file = file
        self._root = _Node("")
        # What a gateway is to ask with, descriptor by descriptor.
        self.asked = [each.actions for document in documents for each in document.spec.raw.rate_limits]
        self._constants = {action.asks_for[0] for actions in self.asked for action in actions if action.generic_key}
        for document in documents:
            for number, descriptor in enumerate(document.spec.raw.descriptors):
                self._add(self._root, descriptor, ("spec", "raw", "descriptors", number), document.metadata.name)
        if self.asked:
            self._refuse_what_is_never_asked()

    @classmethod
    def read(cls, file: Path) -> "Policy":
        return cls(file, read_documents(file))

    def match(self, entries: Entries) -> Budget | None:
        """The budget that a descriptor falls under, if any."""
        node = self._root
        for key, value in entries:
            child = node.children.get((key, value)) or node.children.get((key, None))
            if child is None:
                return None
            node = child
        return self._budget(node, entries) if node.limit else None

    def fixed_budgets(self) -> Iterator[Budget]:
        """The budgets whose subject the policy spells out; a key without a value has one for each value that turns up."""
        for steps, node in self._root.limits():
            entries = tuple((key, value) for key, value in steps if value is not None)
            if len(entries) == len(steps):
                yield self._budget(node, entries)

    def _budget(self, node: _Node, entries: Entries) -> Budget:
        assert node.limit  # noqa: S101  both callers looked
        limit, unit = node.limit
        subject = {key: value for key, value in entries if key not in self._constants}
        return Budget("/".join((node.policy, *subject.values(), unit.value)), entries, subject, limit, unit)

    def _add(self, parent: _Node, descriptor: Descriptor, location: tuple[int | str, ...], policy: str) -> None:
        place = place_in(location)
        if descriptor.key in RESERVED:
            raise PolicyError(self._file, f"{place}.key", f"{descriptor.key!r} is reserved for the gateway's own messages")
        twin = parent.children.get((descriptor.key, descriptor.value))
        if twin:
            raise PolicyError(self._file, place, f"the same key and value stand at {twin.place} already")
        if not descriptor.rate_limit and not descriptor.descriptors:
            raise PolicyError(self._file, place, "sets no rateLimit and has no descriptors below it")
        limit = (descriptor.rate_limit.requests_per_unit, descriptor.rate_limit.unit) if descriptor.rate_limit else None
        node = parent.children[descriptor.key, descriptor.value] = _Node(place, policy, limit)
        for number, child in enumerate(descriptor.descriptors):
            self._add(node, child, (*location, "descriptors", number), policy)

    def _refuse_what_is_never_asked(self) -> None:
        """A limit that no rateLimits entry asks for would never be enforced, in silence; a misspelt key is such a one."""
        for steps, node in self._root.limits():
            if not any(_reaches(actions, steps) for actions in self.asked):
                spelled = ", ".join(key if value is None else f"{key}={value}" for key, value in steps)
                raise PolicyError(self._file, node.place, f"no entry of spec.raw.rateLimits asks for ({spelled})")


def _reaches(actions: tuple[Action, ...], steps: Steps) -> bool:
    return len(actions) == len(steps) and all(
        key == wanted and (constant is None or value is None or constant == value)
        for (key, constant), (wanted, value) in zip((action.asks_for for action in actions), steps, strict=True)
    )
