"""What an EnterpriseAgentgatewayBudget may say."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.budget import PICO
from budgets.documents.budgets import BudgetLimit
from budgets.documents.errors import PolicyError
from budgets.documents.reading import read_policy
from tests.unit.budgets.policies import budget_document, entry, write

LONG = "a" * 64


def usd(amount: object) -> dict[str, object]:
    return entry(limit={"unit": "USD", "amount": amount})


def tokens(amount: object) -> dict[str, object]:
    return entry(limit={"unit": "Tokens", "amount": amount})


def window(**fields: object) -> dict[str, object]:
    return entry(window={"unit": "Day", **fields})


WRONG = {
    "a name with a dot": (entry("a.b"), "name: String should match pattern"),
    "a name with a hyphen last": (entry("a-"), "name: String should match pattern"),
    "a name that is too long": (entry(LONG), "name: String should have at most 63"),
    "a pipe in a value": (entry(subject={"team": "a|b"}), "subject: 'team': 'a|b' holds one of the characters | ^ `"),
    "a caret in a key": (entry(subject={"te^am": "a"}), "subject: 'te^am': 'a' holds one of"),
    "a backtick in a value": (entry(subject={"team": "`"}), "subject: 'team': '`' holds one of"),
    "an empty value": (entry(subject={"team": ""}), "subject: a dimension and its value cannot be empty"),
    "an empty key": (entry(subject={"": "dba"}), "subject: a dimension and its value cannot be empty"),
    "a value that is no text": (entry(subject={"team": 5}), "subject.team: Input should be a valid string"),  # type: ignore[dict-item]
    "a reserved dimension": (entry(subject={"max_tokens": "5"}), "subject: 'max_tokens' is reserved"),
    "17 dimensions": (entry(subject={f"d{n}": "x" for n in range(17)}), "subject: Dictionary should have at most 16"),
    "too many tokens": (tokens(2**32), "limit: a number of tokens is whole, and lies between 0 and 4294967295"),
    "half a token": (tokens(0.5), "limit: a number of tokens is whole"),
    "less than nothing": (tokens(-1), "limit: a number of tokens is whole"),
    "negative dollars": (usd(-0.01), "limit: a number of dollars has six decimals at most"),
    "a seventh decimal": (usd("0.0000001"), "limit: a number of dollars has six decimals at most"),
    "a seventh decimal as a number": (usd(1e-7), "limit: a number of dollars has six decimals at most"),
    "too many dollars": (
        usd(9_000_000.01),
        "limit: a number of dollars has six decimals at most, and lies between 0 and 9000000",
    ),
    "endless dollars": (usd("Infinity"), "limit: a number of dollars"),
    "dollars in words": (usd("five"), "limit: a number of dollars"),
    "dollars of a billion digits": (usd("1e-999999999"), "limit: a number of dollars has six decimals at most"),
    "no number of dollars": (usd("nan"), "limit: a number of dollars has six decimals at most"),
    "true dollars": (usd(True), "limit.amount: write a number, such as 500, 0.25 or '0.25'"),
    "another currency": (entry(limit={"unit": "EUR", "amount": 5}), "limit.unit: Input should be 'USD' or 'Tokens'"),
    "an hour": (window(unit="Hour"), "window.unit: Input should be 'Day', 'Week', 'Month' or 'Year'"),
    "a zone without calendar": (window(timeZone="UTC"), "window: timeZone goes with alignment: Calendar only"),
    "a zone that is none": (
        window(alignment="Calendar", timeZone="Europe/Bern"),
        "window.timeZone: 'Europe/Bern' is no time zone of the IANA database",
    ),
    "a zone that is a path": (
        window(alignment="Calendar", timeZone="../../etc/passwd"),
        "window.timeZone: '../../etc/passwd' is no time zone",
    ),
    "a zone that is a folder": (
        window(alignment="Calendar", timeZone="Europe"),
        "window.timeZone: 'Europe' is no time zone",
    ),
    "another action": (entry(onBudgetExceeded="Warn"), "onBudgetExceeded: Input should be 'Audit' or 'Block'"),
    "an unknown field": (entry(priority=1), "priority: Extra inputs are not permitted"),
}


@pytest.mark.parametrize(("wrong", "reason"), WRONG.values(), ids=WRONG)
def test_a_wrong_entry_is_refused_with_its_place_and_the_reason(tmp_path: Path, wrong: dict[str, object], reason: str) -> None:
    file = write(tmp_path, budget_document(entry("good"), wrong))
    with pytest.raises(PolicyError) as refusal:
        read_policy(file)
    assert str(refusal.value).startswith(f"{file}: spec.budgets[1].{reason}")


RIGHT = {
    "a name in capitals": entry("Q3-budget"),
    "the longest name": entry("a" * 63),
    "16 dimensions": entry(subject={f"d{n}": "x" for n in range(16)}),
    "no tokens": tokens(0),
    "the most tokens": tokens(2**32 - 1),
    "no dollars": usd(0),
    "the most dollars": usd(9_000_000),
    "six decimals": usd("0.000001"),
    "six decimals as a number": usd(0.000001),
    "a zone": window(alignment="Calendar", timeZone="America/St_Johns"),
}


@pytest.mark.parametrize("right", RIGHT.values(), ids=RIGHT)
def test_an_entry_on_the_edge_is_accepted(tmp_path: Path, right: dict[str, object]) -> None:
    assert len(read_policy(write(tmp_path, budget_document(right))).budgets) == 1


@pytest.mark.parametrize(
    ("amount", "picodollars"), [(5, 5 * PICO), (0.1, PICO // 10), ("0.30", 3 * PICO // 10), (1e-06, PICO // 10**6)]
)
def test_dollars_are_exact_however_they_are_written(amount: object, picodollars: int) -> None:
    assert BudgetLimit.model_validate({"unit": "USD", "amount": amount}).total == picodollars


@given(st.decimals(min_value=0, max_value=9_000_000, places=6))
def test_every_amount_of_dollars_is_a_whole_number_of_picodollars_that_the_store_can_count(amount: Decimal) -> None:
    total = BudgetLimit.model_validate({"unit": "USD", "amount": str(amount)}).total
    assert Decimal(total) / PICO == amount
    assert total < 2**63


def test_one_to_64_entries_are_accepted(tmp_path: Path) -> None:
    entries = [entry(f"e{number}") for number in range(65)]
    read_policy(write(tmp_path, budget_document(*entries[:64])))
    for number in (0, 65):
        with pytest.raises(PolicyError, match=r"spec\.budgets: Tuple should have at"):
            read_policy(write(tmp_path, budget_document(*entries[:number])))


def test_a_name_stands_once_in_a_document(tmp_path: Path) -> None:
    file = write(tmp_path, budget_document(entry("a"), entry("b"), entry("a")))
    with pytest.raises(PolicyError, match=r"spec\.budgets\[2\]\.name: the name 'a' is taken by spec\.budgets\[0\]"):
        read_policy(file)
