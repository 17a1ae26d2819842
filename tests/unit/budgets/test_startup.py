import logging
from collections.abc import Mapping
from pathlib import Path

import pytest

from budgets.budget import Action, Measure
from budgets.rules import Rules
from budgets.startup import described, say_budgets
from budgets.windows import FixedWindow, RollingWindow, Unit
from tests.unit.budgets.policies import ONE_TEAM, budget_document, entry, lay_out, limit, ratelimit_file
from tests.unit.budgets.some_budgets import budget

CATALOG = '{"providers": {"house": {"models": {"house-model": {"rates": {"input": "1", "output": "2"}}}}}}'
USD = {"unit": "USD", "amount": "0.25"}


def said(folder: Path, files: Mapping[str, str], caplog: pytest.LogCaptureFixture, *models: str) -> list[tuple[str, str]]:
    caplog.set_level(logging.INFO)
    say_budgets(Rules.read(lay_out(folder, files)), models)
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def warnings(told: list[tuple[str, str]]) -> list[str]:
    return [text for level, text in told if level == "WARNING"]


def test_every_budget_is_said_and_nothing_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {"a.yaml": ONE_TEAM, "b.yaml": budget_document(entry(subject={"user": "*"}, onBudgetExceeded="Audit"))}
    assert said(tmp_path, files, caplog, "gpt-5o") == [
        ("INFO", "budget team-token-budget/dba/hour (team=dba): 5,000 tokens a calendar hour"),
        ("INFO", "budget default/limits/spend/* (user=*): 100 tokens a rolling day, audited"),
    ]


@pytest.mark.parametrize(
    ("action", "measure", "window", "text"),
    [
        (
            Action.BLOCK,
            Measure.TOKENS,
            FixedWindow(Unit.MONTH, "Europe/Berlin"),
            "b/dba (team=dba): 5,000 tokens a calendar month",
        ),
        (Action.AUDIT, Measure.USD, RollingWindow(Unit.WEEK), "b/dba (team=dba): 5000 USD a rolling week, audited"),
    ],
)
def test_a_budget_is_described_in_one_line(action: Action, measure: Measure, window: FixedWindow, text: str) -> None:
    assert described(budget("b", 5_000, window, action=action, measure=measure)) == text


def test_a_budget_without_a_subject_is_everybodys(tmp_path: Path) -> None:
    (everybody,) = Rules.read(lay_out(tmp_path, {"a.yaml": budget_document(entry("all"))})).policy.budgets()
    assert described(everybody) == "default/limits/all (all together): 100 tokens a rolling day"


def test_models_without_a_price_are_listed_where_a_budget_in_dollars_blocks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = {
        "a.yaml": budget_document(
            entry("all", limit=USD),
            entry("one", {"model": "unknown-model"}, limit=USD, onBudgetExceeded="Audit"),
            entry("each", {"model": "*"}, limit=USD),
        ),
        "catalog.json": CATALOG,
    }
    assert warnings(said(tmp_path, files, caplog, "house-model", "gpt-4o", "another-model", "house-modle")) == [
        "models without a price: another-model, house-modle, unknown-model; calls for them are refused where "
        "default/limits/all, default/limits/each/* applies. Add them to a catalog.json of the policy"
    ]


def test_where_budgets_in_dollars_only_audit_the_list_says_that_such_calls_cost_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = {"a.yaml": budget_document(entry("all", limit=USD, onBudgetExceeded="Audit"))}
    (warning,) = warnings(said(tmp_path, files, caplog, "house-model"))
    assert warning.startswith("models without a price: house-model; calls for them cost nothing.")


def test_where_all_models_have_a_price_there_is_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {"a.yaml": budget_document(entry("all", limit=USD)), "catalog.json": CATALOG}
    assert warnings(said(tmp_path, files, caplog, "house-model")) == []


def test_the_beginning_of_a_models_name_is_no_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tree = ratelimit_file({"key": "model", "value": "house-*", "rate_limit": limit(7)})
    assert warnings(said(tmp_path, {"a.yaml": tree, "b.yaml": budget_document(entry("all", limit=USD))}, caplog)) == []
