"""Trees of rate-limit descriptors, whichever of the two formats they are written in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from budgets.budget import Action
from budgets.documents.found import Found, Location
from budgets.windows import Unit


def unit_of(name: Any) -> Any:
    """Raises ValueError. Upper and lower case are the same, as in envoyproxy/ratelimit."""
    if not isinstance(name, str) or name.upper() not in Unit.__members__:
        raise ValueError(f"unknown unit {name!r}; use one of {', '.join(Unit.__members__)}")
    return Unit[name.upper()]


@dataclass(frozen=True)
class Limit:
    amount: int
    unit: Unit
    action: Action = Action.BLOCK


class Descriptor(Protocol):
    """One level of a tree."""

    @property
    def key(self) -> str: ...

    @property
    def value(self) -> str | None: ...

    @property
    def limit(self) -> Limit | None: ...

    @property
    def unlimited(self) -> bool:
        """Whether it lets whatever matches it through without a limit."""

    @property
    def name(self) -> str | None:
        """What another descriptor can replace it by."""

    @property
    def replaces(self) -> tuple[str, ...]:
        """Names of descriptors that do not count for a call to which this one applies."""

    @property
    def descriptors(self) -> Sequence["Descriptor"]: ...


@dataclass(frozen=True)
class Asked:
    """One entry of a descriptor that a gateway is to ask with: a constant, or a dimension of the call. One of them is None."""

    key: str
    constant: str | None = None
    dimension: str | None = None


@dataclass(frozen=True)
class TreeDocument:
    found: Found
    namespace: str
    name: str
    descriptors: Sequence[Descriptor]
    location: Location
    """Where in the document its descriptors stand."""
    asked: tuple[tuple[Asked, ...], ...] = ()
    """The descriptors that a call is asked about with; without any, every sequence of keys in the tree is asked for."""
