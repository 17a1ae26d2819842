"""Agents of two teams that call one another through A2A, with the real gateway, budgets and mock LLM behind each of them."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from a2a.client import ClientConfig, ClientFactory
from a2a.helpers import get_artifact_text, get_data_parts, get_message_text, new_text_message
from a2a.types import Role, SendMessageRequest, Task, TaskState
from google.protobuf.json_format import MessageToDict

from agents.extension import URI
from tests.systems import Running, policy, running, team_list

pytestmark = pytest.mark.anyio

PLENTY = (10_000_000, 20_000_000)
LITTLE = (100, 20_000_000)


@pytest.fixture(scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    budgets = policy(dba=PLENTY, support=PLENTY, poor=LITTLE)
    teams = team_list("dba", "support", "poor")
    async with running(tmp_path_factory.mktemp("system"), teams=teams, budgets=budgets, agents=True) as started:
        yield started


async def ask(http: httpx.AsyncClient, system: Running, agent: str, text: str, **metadata: object) -> Task:
    config = ClientConfig(httpx_client=http, streaming=False)
    client = await ClientFactory(config).create_from_url(system.system.addresses.agents[agent])
    message = new_text_message(text, role=Role.ROLE_USER)
    if metadata:
        message.metadata.update({URI: metadata})  # type: ignore[dict-item]
    (answer,) = [answer async for answer in client.send_message(SendMessageRequest(message=message))]
    return answer.task


def usage(task: Task) -> dict[str, Any]:
    said: dict[str, Any] = MessageToDict(task.metadata)[URI]["usage"]
    return said


async def ledger(http: httpx.AsyncClient, system: Running) -> dict[str, int]:
    rows = (await http.get(f"{system.system.addresses.mock_llm}/ledger")).json()["callers"]
    return {row["team"]: row["total_tokens"] for row in rows}


async def test_dba_asks_support_and_the_usage_tree_is_what_the_llm_reported(system: Running, http: httpx.AsyncClient) -> None:
    before = await ledger(http, system)
    task = await ask(http, system, "dba-agent", "Please ask support-agent what customers say of slow queries.")
    after = await ledger(http, system)
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    (artifact,) = task.artifacts
    assert get_artifact_text(artifact).startswith("support-agent says: ")
    tree = usage(task)
    (peer,) = tree["peers"]
    spent = {team: after[team] - before.get(team, 0) for team in after}
    assert (tree["agent"], tree["own"]["calls"], peer["agent"], peer["own"]["calls"]) == ("dba-agent", 2, "support-agent", 1)
    assert {"dba": tree["own"]["total"], "support": peer["own"]["total"]} == {team: spent[team] for team in ("dba", "support")}
    assert tree["total"] == spent["dba"] + spent["support"]
    assert {team: (await system.account(team)).used for team in ("dba", "support")} == {
        team: after[team] for team in ("dba", "support")
    }


async def test_a_peer_whose_budget_is_spent_is_said_to_be_and_the_caller_answers(
    system: Running, http: httpx.AsyncClient
) -> None:
    while (await ask(http, system, "poor-agent", "Hello.")).status.state != TaskState.TASK_STATE_FAILED:
        pass
    before = await ledger(http, system)
    task = await ask(http, system, "dba-agent", "Please ask poor-agent for a number.")
    after = await ledger(http, system)
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    text = get_artifact_text(task.artifacts[0])
    assert "poor-agent" in text.partition(".")[0]
    assert "budget is spent" in text
    assert after["poor"] == before["poor"]
    assert usage(task)["total"] == after["dba"] - before["dba"]


async def test_a_spent_budget_is_one_request_and_keeps_the_question(system: Running, http: httpx.AsyncClient) -> None:
    while (await ask(http, system, "poor-agent", "Hello.")).status.state != TaskState.TASK_STATE_FAILED:
        pass
    before = await ledger(http, system)
    refused = await ask(http, system, "poor-agent", "What now?")
    assert await ledger(http, system) == before
    assert get_message_text(refused.status.message).startswith("Sorry — your team's LLM token budget is exhausted. ")
    (data,) = get_data_parts(refused.status.message.parts)
    assert data["budget"]["subject"] == {"team": "poor"}


async def test_a_task_that_has_come_through_an_agent_before_is_refused_by_it(system: Running, http: httpx.AsyncClient) -> None:
    before = await ledger(http, system)
    task = await ask(http, system, "dba-agent", "Hello.", path=["dba-agent", "support-agent"])
    assert task.status.state == TaskState.TASK_STATE_REJECTED
    assert "dba-agent -> support-agent -> dba-agent" in get_message_text(task.status.message)
    assert await ledger(http, system) == before


async def test_a_calls_b_calls_a_ends_at_b(system: Running, http: httpx.AsyncClient) -> None:
    """support is asked to ask dba, on whose behalf it works: it does not."""
    before = await ledger(http, system)
    task = await ask(http, system, "dba-agent", "Please ask support-agent to ask dba-agent for the plan.")
    after = await ledger(http, system)
    tree = usage(task)
    (peer,) = tree["peers"]
    assert peer["peers"] == []
    assert tree["own"]["total"] + peer["own"]["total"] == sum(after.values()) - sum(before.values())


async def test_an_allowance_is_handed_down_and_only_tightens(system: Running, http: httpx.AsyncClient) -> None:
    task = await ask(http, system, "dba-agent", "Please ask support-agent what customers say.", allowance={"tokens": 200})
    tree = usage(task)
    (peer,) = tree["peers"]
    # Each answer is bounded by what was left; the words of the prompts come on top.
    assert peer["own"]["completion"] <= 200 - tree["own"]["completion"]
    spent = await ask(http, system, "dba-agent", "Hello.", allowance={"tokens": 0})
    assert spent.status.state == TaskState.TASK_STATE_FAILED
    assert get_message_text(spent.status.message).startswith("The allowance of 0 tokens ")
    assert usage(spent)["total"] == 0
