from pathlib import Path

import pytest

from jwt_issuer.config import Settings
from service.environment import read_environment


@pytest.fixture(autouse=True)
def nothing_but_what_must_be_set(bare_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_ISSUER_STATE", "/state")
    monkeypatch.setenv("JWT_ISSUER_TEAMS", "/teams.yaml")


def test_the_rest_has_defaults() -> None:
    assert read_environment(Settings) == Settings(
        host="127.0.0.1",
        port=8202,
        namespace=None,
        agents_namespace="kagent",
        identity=None,
        state=Path("/state"),
        teams=Path("/teams.yaml"),
        clients=None,
        issuer="agentic-budgets",
        url=None,
        audience="mock-llm",
        ttl=86_400,
        client_ttl=900,
        longest_ttl=86_400,
        max_age=300,
        overlap=1200,
        rotate_every=None,
    )


@pytest.mark.parametrize("variable", ["JWT_ISSUER_STATE", "JWT_ISSUER_TEAMS"])
def test_what_must_be_set_is_named(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.delenv(variable)
    with pytest.raises(SystemExit, match=f"{variable} is not set. It is the "):
        read_environment(Settings)


def test_a_cluster_needs_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JWT_ISSUER_STATE")
    monkeypatch.setenv("JWT_ISSUER_NAMESPACE", "tokens")
    assert read_environment(Settings).state is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("JWT_ISSUER_PORT", "0"),
        ("JWT_ISSUER_PORT", "65536"),
        ("JWT_ISSUER_TTL", "0"),
        ("JWT_ISSUER_TTL", "2592001"),
        ("JWT_ISSUER_CLIENT_TTL", "0"),
        ("JWT_ISSUER_CLIENT_TTL", "2592001"),
        ("JWT_ISSUER_LONGEST_TTL", "0"),
        ("JWT_ISSUER_LONGEST_TTL", "2592001"),
        ("JWT_ISSUER_MAX_AGE", "0"),
        ("JWT_ISSUER_MAX_AGE", "86401"),
        ("JWT_ISSUER_OVERLAP", "2592001"),
        ("JWT_ISSUER_ROTATE_EVERY", "0"),
        ("JWT_ISSUER_URL", "tokens.example.com"),
        ("JWT_ISSUER_URL", "ftp://tokens.example.com"),
        ("JWT_ISSUER_URL", "https://"),
        ("JWT_ISSUER_URL", "https://tokens.example.com?a=b"),
        ("JWT_ISSUER_URL", "https://tokens.example.com/#a"),
        ("JWT_ISSUER_URL", "https://tokens.example.com/a b"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=f"{variable} is wrong: "):
        read_environment(Settings)


def test_what_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ISSUER", "AUDIENCE", "URL", "CLIENTS", "NAMESPACE"):
        monkeypatch.setenv(f"JWT_ISSUER_{name}", "")
    settings = read_environment(Settings)
    assert (settings.issuer, settings.audience, settings.url, settings.clients) == ("agentic-budgets", "mock-llm", None, None)


def test_a_life_of_thirty_days_is_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_ISSUER_TTL", "2592000")
    assert read_environment(Settings).ttl == 30 * 86_400


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://tokens.example.com", "https://tokens.example.com"),
        ("http://tokens:8202/", "http://tokens:8202"),
        ("https://example.com/tokens/", "https://example.com/tokens"),
    ],
)
def test_an_address_has_no_slash_at_its_end(monkeypatch: pytest.MonkeyPatch, given: str, kept: str) -> None:
    monkeypatch.setenv("JWT_ISSUER_URL", given)
    assert read_environment(Settings).url == kept


def test_the_next_key_is_published_for_longer_than_the_key_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_ISSUER_OVERLAP", "300")
    with pytest.raises(SystemExit, match="JWT_ISSUER_OVERLAP is wrong: 300 s is not longer than JWT_ISSUER_MAX_AGE, 300 s"):
        read_environment(Settings)
    monkeypatch.setenv("JWT_ISSUER_OVERLAP", "301")
    assert read_environment(Settings).overlap == 301


def test_a_longer_cache_needs_a_longer_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_ISSUER_MAX_AGE", "1200")
    with pytest.raises(SystemExit, match="JWT_ISSUER_OVERLAP is wrong: 1200 s is not longer than JWT_ISSUER_MAX_AGE, 1200 s"):
        read_environment(Settings)


def test_a_key_signs_for_longer_than_the_next_one_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TTL", "LONGEST_TTL", "CLIENT_TTL"):
        monkeypatch.setenv(f"JWT_ISSUER_{name}", "900")
    monkeypatch.setenv("JWT_ISSUER_ROTATE_EVERY", "1200")
    with pytest.raises(
        SystemExit, match="JWT_ISSUER_ROTATE_EVERY is wrong: 1200 s is not longer than JWT_ISSUER_OVERLAP, 1200 s"
    ):
        read_environment(Settings)
    monkeypatch.setenv("JWT_ISSUER_ROTATE_EVERY", "1201")
    assert read_environment(Settings).rotate_every == 1201


@pytest.mark.parametrize("longer", ["TTL", "LONGEST_TTL"])
def test_keys_that_rotate_too_fast_for_their_tokens_are_refused(monkeypatch: pytest.MonkeyPatch, longer: str) -> None:
    for name in ("TTL", "LONGEST_TTL", "CLIENT_TTL"):
        monkeypatch.setenv(f"JWT_ISSUER_{name}", "900")
    monkeypatch.setenv(f"JWT_ISSUER_{longer}", str(16 * 2000))
    monkeypatch.setenv("JWT_ISSUER_ROTATE_EVERY", "1999")
    with pytest.raises(SystemExit, match="ROTATE_EVERY is wrong: with tokens of 32000 s more than 16 keys would be published"):
        read_environment(Settings)
    monkeypatch.setenv("JWT_ISSUER_ROTATE_EVERY", "2000")
    assert read_environment(Settings).rotate_every == 2000


@pytest.mark.parametrize("variable", ["JWT_ISSUER_NAMESPACE", "JWT_ISSUER_AGENTS_NAMESPACE"])
@pytest.mark.parametrize("value", ["kagent/secrets", "Kagent", "-kagent", "kagent-", "k.agent", "k" * 64])
def test_what_is_no_namespace_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=f"{variable} is wrong: a namespace has up to 63 lower-case letters"):
        read_environment(Settings)


@pytest.mark.parametrize("value", ["k", "k-8", "8", "k" * 63])
def test_what_is_a_namespace_is_taken(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("JWT_ISSUER_NAMESPACE", value)
    assert read_environment(Settings).namespace == value
