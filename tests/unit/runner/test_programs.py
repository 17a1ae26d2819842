from dataclasses import replace
from pathlib import Path

import pytest

from runner.addresses import Addresses
from runner.config import PROJECT, Settings
from runner.programs import Programs
from service.environment import read_environment
from service.teams import Team

DBA = Team(name="dba", description="D.", users=())


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    tokens = tmp_path / "issuer" / "tokens"
    tokens.mkdir(parents=True)
    (tokens / "dba.jwt").write_text("the-token\n")
    names = ("gateway", "gateway-admin", "mock-llm", "jwt-issuer", "budgets", "budgets-http", "budgets-callers", "dba-agent")
    ports = {name: 20_000 + number for number, name in enumerate(names)}
    addresses = Addresses("http://g", "http://ga", "http://m", "http://j", "http://b", {"dba-agent": "http://d"})
    return Programs(tmp_path, read_environment(Settings), addresses, ports, "a-domain", seed=7)


def test_a_program_gets_the_users_own_variables_and_no_others(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("BUDGETS_LOG_LEVEL", "GATEWAY_TIMEOUT", "MOCK_LLM_MAX_BODY", "JWT_ISSUER_TTL", "LLM_TIMEOUT"):
        monkeypatch.setenv(variable, "9")
    found = {
        program.name: sorted(name for name, value in program.environment.items() if value == "9")
        for program in (
            programs.jwt_issuer(),
            programs.mock_llm(),
            programs.budgets("redis://s"),
            programs.gateway(),
            programs.agent(DBA),
        )
    }
    assert found == {
        "jwt-issuer": ["JWT_ISSUER_TTL"],
        "mock-llm": ["MOCK_LLM_MAX_BODY"],
        "budgets": ["BUDGETS_LOG_LEVEL"],
        "gateway": ["GATEWAY_TIMEOUT"],
        "dba-agent": ["LLM_TIMEOUT"],
    }


@pytest.mark.parametrize("name", ["ISSUER", "AUDIENCE"])
def test_what_tokens_say_is_what_the_gateway_checks(programs: Programs, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"JWT_ISSUER_{name}", "ours")
    assert programs.jwt_issuer().environment[f"JWT_ISSUER_{name}"] == "ours"
    assert programs.gateway().environment[f"GATEWAY_{name}"] == "ours"


def test_every_program_is_told_how_to_write_its_log(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    for program in (programs.jwt_issuer(), programs.mock_llm(), programs.budgets("redis://s"), programs.agent(DBA)):
        assert program.environment["LOG_FORMAT"] == "json"


def test_what_the_runner_has_chosen_wins_and_an_empty_variable_is_none(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("BUDGETS_DOMAIN", "MOCK_LLM_SEED", "LLM_JWT"):
        monkeypatch.setenv(variable, "the user's")
    monkeypatch.setenv("BUDGETS_LOG_LEVEL", "")
    assert programs.budgets("redis://s").environment["BUDGETS_DOMAIN"] == "a-domain"
    assert "BUDGETS_LOG_LEVEL" not in programs.budgets("redis://s").environment
    assert programs.mock_llm().environment["MOCK_LLM_SEED"] == "7"
    agent = programs.agent(DBA).environment
    assert "LLM_JWT" not in agent
    assert Path(agent["LLM_JWT_FILE"]).read_text() == "the-token\n"


def test_an_agent_may_call_every_other_and_keeps_what_it_keeps_in_a_file_of_its_own(programs: Programs) -> None:
    agents = {"dba-agent": "http://d", "support-agent": "http://s", "sales-agent": "http://x"}
    environment = replace(programs, addresses=replace(programs.addresses, agents=agents)).agent(DBA).environment
    assert environment["PEERS"] == "support-agent=http://s,sales-agent=http://x"
    assert environment["AGENT_STORE"] == f"sqlite:///{programs.folder}/agents/dba-agent.sqlite3"


def test_the_gateway_finds_each_port_of_the_budget_service(programs: Programs) -> None:
    budgets, gateway = programs.budgets("redis://s").environment, programs.gateway().environment
    assert gateway["GATEWAY_BUDGETS"] == f"127.0.0.1:{budgets['BUDGETS_GRPC_PORT']}"
    assert gateway["GATEWAY_BALANCE"] == f"127.0.0.1:{budgets['BUDGETS_BALANCE_PORT']}"
    assert len({budgets[f"BUDGETS_{port}_PORT"] for port in ("GRPC", "HTTP", "BALANCE")}) == 3


def test_the_policy_in_force_is_kept_beside_the_policy(programs: Programs) -> None:
    environment = programs.budgets("redis://s").environment
    assert environment["BUDGETS_POLICY"] == str(PROJECT / "policy" / "budgets")
    assert environment["BUDGETS_IN_FORCE"] == str(programs.folder / "policy-in-force")
