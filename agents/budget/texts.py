"""How a budget stands, in words."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation

from agents.llm.classify import read_moment
from agents.moments import clock, duration
from agents.outcomes import Meter

MOST = 20
"""Budgets that one answer names; the tightest come first."""

UNKNOWN = "The gateway did not say how much is left, and no answer of it has said so yet."
UNKNOWN_NUMBER = "an unknown number"
MOST_DIGITS = 15

NO_BUDGET = "No budget applies to this agent."


def say_balance(budgets: Sequence[Mapping[str, object]], now: datetime) -> str:
    """A line for each budget of `GET /v1/budget`."""
    return "\n".join(_line(budget, now) for budget in budgets[:MOST]) or NO_BUDGET


def say_meter(meter: Meter | None) -> str:
    """All that a gateway without that address has said: the tightest budget, in the headers of its last answer."""
    if meter is None or meter.remaining is None:
        return UNKNOWN
    reset = f" It resets in {duration(meter.reset)}." if meter.reset else ""
    return f"By the last answer, {_part(meter.remaining, meter.limit, meter.unit)} are left.{reset}"


def _line(budget: Mapping[str, object], now: datetime) -> str:
    unit = str(budget.get("unit", "tokens"))[:32]
    left = _part(budget.get("remaining"), budget.get("limit"), unit)
    sentences = [f"{str(budget.get('id', 'A budget'))[:200]}: {left} are left."]
    if budget.get("reserved") not in (None, 0, "0"):
        sentences.append(f"Calls under way have reserved {_number(budget.get('reserved'), unit)} {_name(unit)} besides.")
    resets = read_moment(budget.get("reset_at"))
    if resets and resets > now:
        sentences.append(f"It resets at {clock(resets, now)}, in {duration((resets - now).total_seconds())}.")
    spent = read_moment(budget.get("spent_at"))
    if spent and spent > now:
        sentences.append(f"At the rate of the last minutes it is spent at {clock(spent, now)}.")
    return " ".join(sentences)


def _part(part: object, whole: object, unit: str) -> str:
    of = "" if whole is None else f" of {_number(whole, unit)}"
    return f"{_number(part, unit)}{of} {_name(unit)}"


def _name(unit: str) -> str:
    return "USD" if unit.lower() in ("usd", "micro-usd") else unit


def _number(value: object, unit: str) -> str:
    """Dollars come as decimal text, and in headers as millionths."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return UNKNOWN_NUMBER
    # Written out, one without end would be gigabytes of noughts.
    if not number.is_finite() or number.adjusted() > MOST_DIGITS:
        return UNKNOWN_NUMBER
    if unit == "micro-usd":
        return f"{number / 1_000_000:,.2f}"
    return f"{number:,.2f}" if unit.lower() == "usd" else f"{number:,.0f}"
