from pathlib import Path

import pytest

from budgets.config import Settings
from service.environment import read_environment


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGETS_STORE", "redis://:secret@127.0.0.1:6379")
    monkeypatch.setenv("BUDGETS_POLICY", "policy/budgets")


def test_all_but_the_store_and_the_policy_has_a_default() -> None:
    settings = read_environment(Settings)
    assert settings.model_dump(exclude={"store"}) == {
        "policy": Path("policy/budgets"),
        "in_force": None,
        "host": "127.0.0.1",
        "grpc_port": 8083,
        "http_port": 8084,
        "balance_port": 8086,
        "domain": "agentic-budgets",
        "unmatched": "refuse",
        "fail_open": False,
        "burst": 10,
        "first_estimate": 1000,
        "reservation_timeout": 330,
        "store_timeout": 0.5,
        "charge_patience": 30,
        "models": (),
        "log_level": "INFO",
    }
    assert settings.store.get_secret_value() == "redis://:secret@127.0.0.1:6379"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("in_force", "/run/in-force", Path("/run/in-force")),
        ("host", "::1", "::1"),
        ("grpc_port", "9001", 9001),
        ("http_port", "9002", 9002),
        ("balance_port", "9003", 9003),
        ("domain", "theirs", "theirs"),
        ("unmatched", "admit", "admit"),
        ("fail_open", "true", True),
        ("burst", "1", 1),
        ("first_estimate", "250", 250),
        ("reservation_timeout", "0.5", 0.5),
        ("store_timeout", "5", 5.0),
        ("charge_patience", "0", 0.0),
        ("models", "gpt-4o, , mock-essay-7b ,", ("gpt-4o", "mock-essay-7b")),
        ("models", "gpt-4o", ("gpt-4o",)),
        ("models", "", ()),
        ("log_level", "DEBUG", "DEBUG"),
    ],
)
def test_a_variable_sets_what_it_is_called(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    monkeypatch.setenv(f"BUDGETS_{name.upper()}", text)
    assert getattr(read_environment(Settings), name) == value


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("BUDGETS_STORE", None, "BUDGETS_STORE is not set. It says where the counters live"),
        ("BUDGETS_STORE", "postgres://u:secret@db", "BUDGETS_STORE is wrong: a store's URL starts with one of redis://"),
        ("BUDGETS_POLICY", None, "BUDGETS_POLICY is not set. It names the file or the folder"),
        ("BUDGETS_GRPC_PORT", "70000", "BUDGETS_GRPC_PORT is wrong"),
        ("BUDGETS_HTTP_PORT", "0", "BUDGETS_HTTP_PORT is wrong"),
        ("BUDGETS_BALANCE_PORT", "http", "BUDGETS_BALANCE_PORT is wrong"),
        ("BUDGETS_UNMATCHED", "maybe", "BUDGETS_UNMATCHED is wrong"),
        ("BUDGETS_FAIL_OPEN", "perhaps", "BUDGETS_FAIL_OPEN is wrong"),
        ("BUDGETS_BURST", "0", "BUDGETS_BURST is wrong"),
        ("BUDGETS_BURST", "10001", "BUDGETS_BURST is wrong"),
        ("BUDGETS_FIRST_ESTIMATE", "0", "BUDGETS_FIRST_ESTIMATE is wrong"),
        ("BUDGETS_FIRST_ESTIMATE", "1000001", "BUDGETS_FIRST_ESTIMATE is wrong"),
        ("BUDGETS_RESERVATION_TIMEOUT", "0", "BUDGETS_RESERVATION_TIMEOUT is wrong"),
        ("BUDGETS_RESERVATION_TIMEOUT", "901", "BUDGETS_RESERVATION_TIMEOUT is wrong"),
        ("BUDGETS_STORE_TIMEOUT", "0", "BUDGETS_STORE_TIMEOUT is wrong"),
        ("BUDGETS_STORE_TIMEOUT", "5.1", "BUDGETS_STORE_TIMEOUT is wrong"),
        ("BUDGETS_CHARGE_PATIENCE", "-1", "BUDGETS_CHARGE_PATIENCE is wrong"),
        ("BUDGETS_CHARGE_PATIENCE", "601", "BUDGETS_CHARGE_PATIENCE is wrong"),
        ("BUDGETS_LOG_LEVEL", "LOUD", "BUDGETS_LOG_LEVEL is wrong"),
    ],
)
def test_a_wrong_variable_is_named_with_its_purpose_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None, sentence: str
) -> None:
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as stop:
        read_environment(Settings)
    (line,) = str(stop.value).splitlines()
    assert line.startswith(sentence)
    assert line.endswith(str(Settings.model_fields[variable.removeprefix("BUDGETS_").lower()].description))
    assert "secret" not in line


@pytest.mark.parametrize("inside", ["policy/budgets", "policy/budgets/in-force", "policy/../policy/budgets/.copy"])
def test_the_copy_of_the_policy_may_not_lie_in_the_policy(monkeypatch: pytest.MonkeyPatch, inside: str) -> None:
    monkeypatch.setenv("BUDGETS_IN_FORCE", inside)
    with pytest.raises(SystemExit, match=r"^BUDGETS_IN_FORCE is wrong: .* lies in the policy itself, policy/budgets. It names"):
        read_environment(Settings)


def test_the_copy_of_the_policy_may_lie_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGETS_IN_FORCE", "policy/budgets-in-force")
    assert read_environment(Settings).in_force == Path("policy/budgets-in-force")


def test_settings_do_not_show_the_store_password() -> None:
    assert "secret" not in repr(read_environment(Settings))
