import pytest

from agents.config import Settings
from service.environment import read_environment
from tests.unit.agents.doubles import settings, token


def refusal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stop:
        read_environment(Settings)
    return str(stop.value)


@pytest.mark.parametrize("environment", [{}, {"LLM_JWT": ""}])
def test_a_missing_token_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    sentence = refusal(monkeypatch, **environment)
    assert sentence.startswith("LLM_JWT is not set.")
    assert "the gateway refuses every call" in sentence


def test_a_token_of_spaces_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, LLM_JWT="  ").startswith("LLM_JWT is wrong: it is not a JSON Web Token")


def test_a_wrong_token_is_refused_without_being_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = token(team="")
    sentence = refusal(monkeypatch, LLM_JWT=wrong)
    assert sentence.startswith("LLM_JWT is wrong: its claims name no team")
    assert wrong not in sentence
    assert wrong.split(".")[1] not in sentence


def test_a_line_break_at_the_end_of_a_token_is_dropped() -> None:
    assert settings(llm_jwt=token(team="dba") + "\n").llm_jwt.get_secret_value() == token(team="dba")


def test_the_token_is_in_no_text_of_the_settings() -> None:
    assert token(team="dba") not in repr(settings()) + str(settings()) + settings().model_dump_json()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LLM_URL", "gateway:8090"),
        ("LLM_TIMEOUT", "0"),
        ("PORT", "70000"),
        ("LOG_LEVEL", "LOUD"),
        ("PUBLIC_URL", "here"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv("LLM_JWT", token(team="dba"))
    assert refusal(monkeypatch, **{variable: value}).startswith(f"{variable} is wrong: ")


def test_every_variable_comes_from_the_environment_without_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LLM_JWT": token(team="dba"), "LLM_MODEL": "m", "PORT": "8101", "LOG_LEVEL": "debug"}.items():
        monkeypatch.setenv(name, value)
    read = read_environment(Settings)
    assert (read.llm_model, read.port, read.log_level) == ("m", 8101, "DEBUG")


def test_the_team_names_the_agent_unless_kagent_does() -> None:
    assert settings().name == "dba-agent"
    assert settings(kagent_name="oracle").name == "oracle"


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"host": "0.0.0.0", "port": 8101}, "http://127.0.0.1:8101"),  # noqa: S104
        ({"host": "::1"}, "http://[::1]:8080"),
        ({"host": "::"}, "http://[::1]:8080"),
        ({"kagent_name": "dba-agent"}, "http://127.0.0.1:8080"),
        ({"kagent_name": "dba-agent", "kagent_namespace": "kagent", "port": 80}, "http://dba-agent.kagent:8080"),
        ({"kagent_name": "a", "kagent_namespace": "b", "public_url": "https://x.test/a/"}, "https://x.test/a"),
    ],
)
def test_the_address_in_the_card(changes: dict[str, object], url: str) -> None:
    assert settings(**changes).url == url
