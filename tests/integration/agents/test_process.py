"""The process: how it refuses to start, and how it stops."""

import asyncio
import signal
import socket
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import jwt
import pytest

from agents.texts import SHUTTING_DOWN
from tests.integration.agents import wire
from tests.integration.agents.conftest import ROOT, TOKEN, agent_beside, environment, running_agent
from tests.integration.agents.gateway import Gateway
from tests.unit.agents.own_graphs import code_in_the_readme
from tests.waiting import until


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
    file.write_text(code_in_the_readme().replace("compile(checkpointer=kit.checkpointer)", "compile()"), encoding="utf-8")
    (line,) = refusal(str(file), LLM_JWT=TOKEN).splitlines()
    assert line.startswith("The graph would remember nothing")


@pytest.mark.anyio
async def test_sigterm_lets_one_task_end_and_fails_the_other(tmp_path: Path, gateway: Gateway, http: httpx.AsyncClient) -> None:
    gateway.serve("hang", "slow")
    async with agent_beside(tmp_path, LLM_URL=gateway.url, SHUTDOWN_GRACE="4") as agent, AsyncExitStack() as streams:
        hanging, finishing = [
            await streams.enter_async_context(wire.events(http, agent.url, wire.said(f"q{number}", "message/stream")))
            for number in range(2)
        ]
        await until(lambda: len(gateway.requests) == 2, "the calls to the gateway")
        # Whichever of the two came first is the one that hangs.
        if gateway.asked[0] == "q1":
            hanging, finishing = finishing, hanging
        agent.process.send_signal(signal.SIGTERM)
        await until(lambda: not agent.listens(), "the end of listening")
        gateway.slow.say("Use an index.")
        gateway.slow.finish()
        *_, artifact, completed = [event async for event in finishing]
        assert (wire.text_of(artifact["artifact"]), completed["status"]["state"]) == ("Use an index.", "completed")
        *_, failed = [event async for event in hanging]
        assert failed["status"]["state"] == "failed"
        assert wire.text_of(failed["status"]["message"]) == SHUTTING_DOWN
        assert await asyncio.to_thread(agent.process.wait, 10) == 0
        assert "Traceback" not in agent.log
