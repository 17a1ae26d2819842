from pathlib import Path

import pytest

from jwt_issuer.config import Settings
from service.environment import read_environment


@pytest.fixture(autouse=True)
def nothing_but_what_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"JWT_ISSUER_{name.upper()}", raising=False)
    monkeypatch.setenv("JWT_ISSUER_STATE", "/state")
    monkeypatch.setenv("JWT_ISSUER_TEAMS", "/teams.yaml")


def test_the_rest_has_defaults() -> None:
    assert read_environment(Settings) == Settings(
        host="127.0.0.1",
        port=8202,
        state=Path("/state"),
        teams=Path("/teams.yaml"),
        issuer="agentic-budgets",
        audience="mock-llm",
        ttl=86_400,
    )


@pytest.mark.parametrize("variable", ["JWT_ISSUER_STATE", "JWT_ISSUER_TEAMS"])
def test_what_must_be_set_is_named(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.delenv(variable)
    with pytest.raises(SystemExit, match=f"{variable} is not set. It is the "):
        read_environment(Settings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("JWT_ISSUER_PORT", "0"),
        ("JWT_ISSUER_TTL", "0"),
        ("JWT_ISSUER_TTL", "2592001"),
        ("JWT_ISSUER_ISSUER", ""),
        ("JWT_ISSUER_AUDIENCE", ""),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=f"{variable} is wrong: "):
        read_environment(Settings)


def test_a_life_of_thirty_days_is_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_ISSUER_TTL", "2592000")
    assert read_environment(Settings).ttl == 30 * 86_400
