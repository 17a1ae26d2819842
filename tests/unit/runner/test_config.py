from pathlib import Path

import pytest

from runner.config import PROJECT, Settings
from service.environment import read_environment


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("ENVOY_BIN", "BUDGETS_STORE", "BUDGETS_POLICY", "BUDGETS_DOMAIN", "TEAMS"):
        monkeypatch.setenv(variable, "")
    settings = read_environment(Settings)
    assert (settings.envoy_bin, settings.budgets_store) == (None, None)
    assert settings.teams == PROJECT / "policy" / "teams.yaml"
    assert settings.policy == PROJECT / "policy" / "budgets"
    assert settings.domain == "agentic-budgets"


def test_a_store_of_another_kind_is_refused_and_its_password_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGETS_STORE", "http://:secret@127.0.0.1:6379")
    with pytest.raises(SystemExit) as refused:
        read_environment(Settings)
    assert str(refused.value).startswith("BUDGETS_STORE is wrong: a store's URL starts with one of redis://, ")
    assert "secret" not in str(refused.value)


def test_an_envoy_that_cannot_be_run_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "envoy").touch(mode=0o644)
    for wrong in (tmp_path, tmp_path / "envoy", tmp_path / "absent"):
        monkeypatch.setenv("ENVOY_BIN", str(wrong))
        with pytest.raises(SystemExit, match=rf"^ENVOY_BIN is wrong: {wrong} is not a program that can be run\. It names"):
            read_environment(Settings)
