from pathlib import Path

import pytest

from agents.config import Settings
from service.environment import read_environment
from tests.unit.agents.doubles import settings, token

TOKEN = token(team="dba")


def refusal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stop:
        read_environment(Settings)
    return str(stop.value)


@pytest.mark.parametrize("environment", [{}, {"LLM_JWT": ""}, {"LLM_JWT_FILE": ""}])
def test_a_missing_token_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    sentence = refusal(monkeypatch, **environment)
    assert sentence.startswith("LLM_JWT is not set.")
    assert "the gateway refuses every call" in sentence
    assert "\n" not in sentence.strip()


def test_a_token_of_spaces_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, LLM_JWT="  ").startswith("LLM_JWT is wrong: it is not a JSON Web Token")


def test_a_wrong_token_is_refused_without_being_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = token(team="")
    sentence = refusal(monkeypatch, LLM_JWT=wrong)
    assert sentence.startswith("LLM_JWT is wrong: its claims name no team")
    assert wrong not in sentence
    assert wrong.split(".")[1] not in sentence


def test_a_line_break_at_the_end_of_a_token_is_dropped() -> None:
    assert settings(llm_jwt=TOKEN + "\n").token.current() == TOKEN


def test_a_file_says_who_the_agent_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{token(team='support')}\n")
    monkeypatch.setenv("LLM_JWT_FILE", str(tmp_path / "token"))
    read = read_environment(Settings)
    assert (read.identity.team, read.token.current()) == ("support", token(team="support"))


def test_two_tokens_are_one_too_many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    sentence = refusal(monkeypatch, LLM_JWT=TOKEN, LLM_JWT_FILE=str(tmp_path / "token"))
    assert sentence.startswith("LLM_JWT is wrong: LLM_JWT_FILE is set too")
    assert sentence.count("LLM_JWT is") == 1
    assert TOKEN not in sentence


@pytest.mark.parametrize("with_variable", [True, False])
def test_a_file_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, with_variable: bool) -> None:
    variable = {"LLM_JWT": TOKEN} if with_variable else {}
    sentence = refusal(monkeypatch, LLM_JWT_FILE=str(tmp_path / "none"), **variable)
    assert sentence.startswith(f"LLM_JWT_FILE is wrong: {tmp_path}/none cannot be read: No such file or directory")
    assert "LLM_JWT is" not in sentence
    assert "\n" not in sentence.strip()


def test_a_file_without_a_token_is_one_sentence_that_does_not_quote_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(token(sub="nobody"))
    sentence = refusal(monkeypatch, LLM_JWT_FILE=str(tmp_path / "token"))
    assert sentence.startswith("LLM_JWT_FILE is wrong: ")
    assert "holds no token of a team: its claims name no team" in sentence
    assert token(sub="nobody") not in sentence
    assert "LLM_JWT is" not in sentence


def test_the_token_is_in_no_text_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    for read in (settings(), settings(llm_jwt_file=tmp_path / "token")):
        assert read.token.current() == TOKEN
        assert TOKEN not in repr(read) + str(read) + read.model_dump_json() + repr(read.token) + repr(read.__dict__)


def test_the_password_of_the_store_is_in_no_text_of_the_settings() -> None:
    read = settings(agent_store="postgresql://me:hunter2@db/agents")
    assert read.store == "postgresql://me:hunter2@db/agents"
    assert "hunter2" not in repr(read) + str(read) + read.model_dump_json()


def test_without_a_store_it_is_a_file_of_the_agents_own() -> None:
    assert settings(kagent_name="oracle").store == "sqlite:///.state/agents/oracle-8080.sqlite3"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LLM_URL", "gateway:8090"),
        ("LLM_STREAM", "perhaps"),
        ("LLM_TIMEOUT", "0"),
        ("ON_BUDGET_EXHAUSTED", "hope"),
        ("BUDGET_LONGEST_WAIT", "0"),
        ("MAX_HOPS", "0"),
        ("KEEP_TASKS", "0"),
        ("PORT", "70000"),
        ("LOG_LEVEL", "LOUD"),
        ("PUBLIC_URL", "here"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv("LLM_JWT", TOKEN)
    assert refusal(monkeypatch, **{variable: value}).startswith(f"{variable} is wrong: ")


def test_every_variable_comes_from_the_environment_without_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"LLM_JWT": TOKEN, "LLM_MODEL": "m", "PORT": "8101", "LOG_LEVEL": "debug", "ON_BUDGET_EXHAUSTED": "WAIT"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    read = read_environment(Settings)
    assert (read.llm_model, read.port, read.log_level, read.on_budget_exhausted) == ("m", 8101, "DEBUG", "wait")


def test_the_team_names_the_agent_unless_kagent_does() -> None:
    assert settings().name == settings().full_name == "dba-agent"
    assert settings(kagent_name="oracle").full_name == "oracle"
    assert settings(kagent_name="oracle", kagent_namespace="db").full_name == "db/oracle"


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
