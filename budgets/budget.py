"""The values that the budget service thinks in: a call, what it used, and a budget that it falls under."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

from budgets.windows import Window

Entries = tuple[tuple[str, str], ...]
"""A descriptor as a gateway sends it: (key, value) pairs, outermost first."""

PICO = 10**12
"""Picodollars in a dollar. Prices have up to six decimals per million tokens, so a cost is a whole number of these."""

TOKEN_CAP = 2**32 - 1
"""The largest limit in tokens: `requests_per_unit` is a uint32 on the wire."""

USD_CAP = 9_000_000
"""The largest limit in dollars: in picodollars it still is an int64, which is what the store counts with."""


class Measure(Enum):
    """What a budget counts."""

    TOKENS = "tokens"
    USD = "usd"
    """Counted in picodollars."""


class Action(Enum):
    """What happens at a spent budget."""

    BLOCK = "block"
    AUDIT = "audit"
    """The call goes on, and the log says so."""


class Usage(NamedTuple):
    """What a call used, in tokens, as the gateway read it from the answer."""

    input: int = 0
    output: int = 0
    cached: int = 0
    """The part of `input` that the provider had cached; providers bill it at another rate."""
    unsplit: int = 0
    """Tokens of which the gateway does not say whether they are input or output."""
    picodollars: int | None = None
    """The cost, where the gateway itself has priced the call."""

    @property
    def tokens(self) -> int:
        return self.input + self.output + self.unsplit


@dataclass(frozen=True)
class Budget:
    """What one subject may spend in one window. Two budgets are one when their `key` is: a limit may change."""

    id: str
    """What people read, such as `team-token-budget/dba/hour`."""
    rule: str
    """The entry of the policy that it comes from; the same for every subject of a wildcard. For metrics and logs."""
    key: str
    """What identifies it in the store."""
    subject: Mapping[str, str]
    limit: int
    """In tokens or picodollars."""
    measure: Measure
    window: Window
    action: Action = Action.BLOCK

    def __hash__(self) -> int:
        return hash(self.key)


def counted(budget: Budget, told: int | str) -> int:
    """Tokens or dollars, as people tell them, in what the budget counts.

    Raises ValueError for a part of a token, and for more than a limit can be.
    """
    in_dollars = budget.measure is Measure.USD
    figure, cap = Decimal(told), USD_CAP if in_dollars else TOKEN_CAP
    if figure > cap or not (in_dollars or figure == int(figure)):
        write = f"write a number of {'dollars' if in_dollars else 'whole tokens'} up to {cap:,}"
        raise ValueError(f"{told} is no limit for {budget.id}: {write}")
    return int(figure * PICO) if in_dollars else int(figure)
