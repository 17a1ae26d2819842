import pytest

from budgets.config import Settings
from service.environment import read_environment


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGETS_STORE", "redis://:secret@127.0.0.1:6379")
    monkeypatch.setenv("BUDGETS_POLICY", "policy/team-token-budget.yaml")


def test_the_ports_have_defaults() -> None:
    settings = read_environment(Settings)
    assert (settings.grpc_port, settings.http_port) == (8083, 8084)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("BUDGETS_STORE", None, "BUDGETS_STORE is not set. It says where the counters live"),
        ("BUDGETS_STORE", "postgres://u:secret@db", "BUDGETS_STORE is wrong: a store's URL starts with one of redis://"),
        ("BUDGETS_GRPC_PORT", "70000", "BUDGETS_GRPC_PORT is wrong"),
        ("BUDGETS_UNMATCHED", "maybe", "BUDGETS_UNMATCHED is wrong"),
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
    assert str(stop.value).startswith(sentence)
    assert "secret" not in str(stop.value)


def test_settings_do_not_show_the_store_password() -> None:
    assert "secret" not in repr(read_environment(Settings))
