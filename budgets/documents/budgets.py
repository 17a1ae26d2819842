"""`EnterpriseAgentgatewayBudget` documents (`enterpriseagentgateway.solo.io/v1alpha1`): what a subject may spend in a window.

The shape and its bounds are those of Solo's CRD. Beyond it a window can be aligned to the calendar of a time zone.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from budgets.budget import PICO, TOKEN_CAP, USD_CAP, Action, Measure
from budgets.documents.found import Found, Metadata, Strict
from budgets.documents.reserved import RESERVED
from budgets.windows import FixedWindow, RollingWindow, Unit, Window

FORBIDDEN = "|^`"

_MOST_DIGITS = 30

_USD = re.compile(r"\d+(\.\d{1,6})?")


def _amount(amount: Any) -> Any:
    """Dollars exactly as they are written, as text or as a number; anything else is left to be refused."""
    if isinstance(amount, bool) or not isinstance(amount, int | float | str):
        raise ValueError("write a number, such as 500, 0.25 or '0.25'")
    return str(amount)


class BudgetLimit(Strict):
    unit: Literal["USD", "Tokens"]
    amount: Annotated[str, BeforeValidator(_amount)]

    @model_validator(mode="after")
    def _bounded(self) -> "BudgetLimit":
        if self.unit == "Tokens":
            if not re.fullmatch(r"\d+", self.amount) or int(self.amount) > TOKEN_CAP:
                raise ValueError(f"a number of tokens is whole, and lies between 0 and {TOKEN_CAP}")
        elif not (text := _plain(self.amount)) or Decimal(text) > USD_CAP:
            raise ValueError(f"a number of dollars has six decimals at most, and lies between 0 and {USD_CAP}")
        return self

    @property
    def measure(self) -> Measure:
        return Measure.USD if self.unit == "USD" else Measure.TOKENS

    @property
    def total(self) -> int:
        """In tokens or picodollars."""
        return int(self.amount) if self.unit == "Tokens" else int(Decimal(_plain(self.amount)) * PICO)


def _plain(amount: str) -> str:
    """YAML gives 0.000001 as 1e-06, and 5.0 for 5; the empty string for what is no amount of dollars."""
    try:
        figure = Decimal(amount)
    except ArithmeticError:
        return ""
    # Before it is written out: a few letters can stand for a billion digits.
    if not figure.is_finite() or abs(figure.adjusted()) > _MOST_DIGITS:
        return ""
    text = f"{figure:f}"
    return text if _USD.fullmatch(text) else ""


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name[:80]!r} is no time zone of the IANA database; write one such as Europe/Berlin") from None
    return name


class BudgetWindow(Strict):
    unit: Literal["Day", "Week", "Month", "Year"]
    alignment: Literal["Rolling", "Calendar"] = "Rolling"
    time_zone: Annotated[str, AfterValidator(_time_zone)] | None = None

    @model_validator(mode="after")
    def _zone_only_with_calendar(self) -> "BudgetWindow":
        if self.time_zone and self.alignment == "Rolling":
            raise ValueError("timeZone goes with alignment: Calendar only; a rolling window is the same everywhere")
        return self

    @property
    def window(self) -> Window:
        unit = Unit[self.unit.upper()]
        return RollingWindow(unit) if self.alignment == "Rolling" else FixedWindow(unit, self.time_zone or "UTC")


def _subject(subject: dict[str, str]) -> dict[str, str]:
    for dimension, value in subject.items():
        if not dimension or not value:
            raise ValueError("a dimension and its value cannot be empty; leave the dimension out where any call will do")
        if any(character in dimension + value for character in FORBIDDEN):
            raise ValueError(f"{dimension!r}: {value!r} holds one of the characters {' '.join(FORBIDDEN)}, which are forbidden")
        if dimension in RESERVED:
            raise ValueError(f"{dimension!r} is reserved for the gateway's own messages; name another dimension")
    return subject


class BudgetEntry(Strict):
    name: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$", max_length=63)
    subject: Annotated[dict[str, str], AfterValidator(_subject)] = Field({}, max_length=16)
    limit: BudgetLimit
    window: BudgetWindow
    on_budget_exceeded: Literal["Audit", "Block"]

    @property
    def action(self) -> Action:
        return Action[self.on_budget_exceeded.upper()]


class BudgetSpec(Strict):
    budgets: tuple[BudgetEntry, ...] = Field(min_length=1, max_length=64, strict=False)


class EnterpriseAgentgatewayBudget(Strict):
    api_version: Literal["enterpriseagentgateway.solo.io/v1alpha1"]
    kind: Literal["EnterpriseAgentgatewayBudget"]
    metadata: Metadata
    spec: BudgetSpec

    def refuse_shared_names(self, found: Found) -> None:
        """Raises PolicyError."""
        first: dict[str, int] = {}
        for number, entry in enumerate(self.spec.budgets):
            if (before := first.setdefault(entry.name, number)) != number:
                reason = f"the name {entry.name!r} is taken by spec.budgets[{before}]"
                raise found.error(("spec", "budgets", number, "name"), reason)
