"""What the README and the documentation show is what the system does."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from budgets.answers import body
from budgets.budget import Budget, Measure
from budgets.checking import check
from budgets.decision import Balance, Decision, Refusal
from budgets.windows import FixedWindow, Unit

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
DOCUMENTATION = (PROJECT / "docs" / "budgets.md").read_text(encoding="utf-8")


def test_the_refusal_is_the_one_that_the_service_sends() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    name = "team-token-budget/dba/hour"
    budget = Budget(name, name, name, {"team": "dba"}, 5_000, Measure.TOKENS, FixedWindow(Unit.HOUR))
    reset_at = int(datetime(2026, 11, 21, 15, tzinfo=UTC).timestamp())
    balance = Balance(budget, used=5_012, reserved=0, reset_at=reset_at, reset_in=1_234)
    assert json.loads(shown) == json.loads(body(Decision((balance,), (0,), Refusal.SPENT), ()))


def test_a_folder_for_each_team_means_what_the_documentation_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    section = DOCUMENTATION.split("### A folder for each team")[1].split("\n## ")[0]
    names = re.findall(r"`(company/\S+\.yaml)`", section)
    for name, text in zip(names, re.findall(r"```yaml\n(.*?)```", section, re.DOTALL), strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    check(tmp_path / "company", None)
    (said,) = re.findall(r"```\n(platform.*?)```", section, re.DOTALL)
    assert capsys.readouterr().out == said


def test_every_make_target_is_there() -> None:
    targets = set(re.findall(r"^make (\w+)", README, re.MULTILINE))
    assert targets >= {"demo", "up", "chat", "check", "test"}
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert targets <= set(re.findall(r"^(\w+):", makefile, re.MULTILINE))


def test_every_folder_of_the_table_is_there_and_none_is_left_out() -> None:
    told = set(re.findall(r"^\| `(\w+)/` \|", README, re.MULTILINE))
    packages = {path.parent.name for path in PROJECT.glob("*/__init__.py")}
    assert told == packages | {"policy", "kagent"}
