"""The process: how it refuses to start, and how it stops."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import jwt
import pytest

from tests.integration.agents.conftest import ROOT, TOKEN, Gateway, environment, running_agent, until
from tests.unit.agents.own_graphs import code_in_the_readme


def refusal(*command: str, **variables: str) -> str:
    """What a process that does not start writes to standard error."""
    ended = subprocess.run(
        [sys.executable, *(command or ("-m", "agents"))],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode != 0
    assert ended.stdout == ""
    return ended.stderr


@pytest.mark.parametrize("variables", [{}, {"LLM_JWT": ""}])
def test_without_a_token_it_names_the_variable_and_the_reason(variables: dict[str, str]) -> None:
    (line,) = refusal(**variables).splitlines()
    assert line.startswith("LLM_JWT is not set.")
    assert "the gateway refuses every call" in line


def test_a_token_without_a_team_is_refused_and_not_printed() -> None:
    token = jwt.encode({"sub": "dba"}, "a key of no importance, 32 bytes long", algorithm="HS256")
    (line,) = refusal(LLM_JWT=token).splitlines()
    assert line.startswith("LLM_JWT is wrong: its claims name no team")
    assert token not in line


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        last = refusal(LLM_JWT=TOKEN, PORT=str(port)).splitlines()[-1]
    assert last == f"Cannot listen on 127.0.0.1:{port}: the port is in use. Set HOST or PORT to an address that is free."


def test_an_expired_token_is_a_warning(tmp_path: Path) -> None:
    claims = {"team": "dba", "exp": 1_700_000_000}
    expired = jwt.encode(claims, "a key of no importance, 32 bytes long", algorithm="HS256")
    with running_agent(tmp_path, LLM_JWT=expired) as agent:
        assert "WARNING agents: LLM_JWT of team dba expired at 2023-11-14T22:13:20+00:00" in agent.log
        assert expired not in agent.log


def test_kagents_variables_make_the_card(tmp_path: Path) -> None:
    with running_agent(tmp_path, KAGENT_NAME="dba-agent", KAGENT_NAMESPACE="kagent") as agent:
        card = httpx.get(f"{agent.url}/.well-known/agent-card.json", trust_env=False).json()
    assert (card["name"], card["url"]) == ("dba-agent", "http://dba-agent.kagent:8080")


def test_the_readmes_file_serves_its_own_graph(tmp_path: Path, gateway: Gateway) -> None:
    gateway.serve("ok", "budget")
    file = tmp_path / "my_agent.py"
    file.write_text(code_in_the_readme(), encoding="utf-8")
    message = {"kind": "message", "messageId": "m", "role": "user", "parts": [{"kind": "text", "text": "hi"}]}
    body = {"jsonrpc": "2.0", "id": "1", "method": "message/send", "params": {"message": message}}
    with running_agent(tmp_path, str(file), LLM_URL=gateway.url) as agent:
        status = httpx.post(agent.url, json=body, timeout=30, trust_env=False).json()["result"]["status"]
    assert status["state"] == "failed"
    assert status["message"]["parts"][0]["text"].startswith("Sorry — your team's LLM token budget is exhausted. ")
    assert [len(request["body"]["messages"]) for request in gateway.requests] == [2, 4]


def test_a_graph_that_cannot_be_served_is_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "my_agent.py"
    file.write_text(code_in_the_readme().replace("compile(checkpointer=checkpointer)", "compile()"), encoding="utf-8")
    (line,) = refusal(str(file), LLM_JWT=TOKEN).splitlines()
    assert line.startswith("The graph would remember nothing")


def test_sigterm_lets_a_running_task_end(tmp_path: Path, gateway: Gateway) -> None:
    gateway.serve("hang")
    message = {"kind": "message", "messageId": "m", "role": "user", "parts": [{"kind": "text", "text": "hi"}]}
    body = {"jsonrpc": "2.0", "id": "1", "method": "message/stream", "params": {"message": message}}
    with (
        running_agent(tmp_path, LLM_URL=gateway.url) as agent,
        httpx.Client(timeout=30, trust_env=False) as client,
        client.stream("POST", agent.url, json=body) as response,
    ):
        until(lambda: len(gateway.requests) == 1, "The call to the gateway")
        agent.process.send_signal(signal.SIGTERM)
        until(lambda: not agent.listens(), "The end of listening")
        gateway.hold.set()
        lines = [line for line in response.iter_lines() if line.startswith("data: ")]
        assert agent.process.wait(10) == -signal.SIGTERM
    assert json.loads(lines[-1].removeprefix("data: "))["result"]["status"]["state"] == "completed"
