"""What the agent's process does as its budget runs low, is spent and comes back; and as its token is renewed."""

from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from agents.extension import URI
from agents.llm.ladder import ASK_FOR_BREVITY
from tests.integration.agents import wire
from tests.integration.agents.conftest import SECRET, TOKEN, Agent, agent_beside
from tests.integration.agents.gateway import Gateway, Held, said, spent
from tests.unit.agents.doubles import BUDGET
from tests.waiting import until

pytestmark = pytest.mark.anyio


async def test_a_task_waits_for_its_budget_and_goes_on_by_itself(
    gateway: Gateway, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with agent_beside(tmp_path, LLM_URL=gateway.url, ON_BUDGET_EXHAUSTED="wait") as agent:
        gateway.serve(spent(2), "ok")
        async with wire.events(http, agent.url, wire.said("hi", "message/stream")) as stream:
            task, _, waits, *rest = [event async for event in stream]
        assert waits["status"]["state"] == "working"
        text = wire.text_of(waits["status"]["message"])
        assert text.startswith("The budget is spent. This task waits and goes on by itself at ")
        assert " UTC" in text
        assert [event["kind"] for event in rest] == ["status-update", "artifact-update", "status-update"]
        assert rest[-1]["status"]["state"] == "completed"
        assert gateway.asked == ["hi", "hi"]
        stored = await wire.task_of(http, agent.url, task["id"])
        assert stored["status"]["state"] == "completed"


async def test_a_reset_beyond_the_longest_wait_is_not_waited_for(
    gateway: Gateway, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    gateway.serve(spent(100))
    waiting = {"ON_BUDGET_EXHAUSTED": "wait", "BUDGET_LONGEST_WAIT": "50"}
    async with agent_beside(tmp_path, LLM_URL=gateway.url, **waiting) as agent:
        task = await wire.call(http, agent.url, wire.said("hi"))
    assert task["status"]["state"] == "failed"
    assert len(gateway.requests) == 1


async def test_a_task_that_waits_can_be_cancelled(gateway: Gateway, http: httpx.AsyncClient, tmp_path: Path) -> None:
    gateway.serve(spent(100), "ok")
    async with agent_beside(tmp_path, LLM_URL=gateway.url, ON_BUDGET_EXHAUSTED="wait") as agent:
        task = await wire.call(http, agent.url, wire.said("hi", blocking=False))

        async def waits() -> bool:
            status = (await wire.task_of(http, agent.url, task["id"]))["status"]
            return "message" in status and wire.text_of(status["message"]).startswith("The budget is spent.")

        await until(waits, "the task's saying that it waits")
        assert (await wire.call(http, agent.url, wire.request("tasks/cancel", id=task["id"])))["status"]["state"] == "canceled"
    assert len(gateway.requests) == 1


async def test_the_question_for_the_budget_costs_nothing(agent: Agent, gateway: Gateway, http: httpx.AsyncClient) -> None:
    gateway.serve("ok", balance=[BUDGET | {"used": 713, "remaining": 4287, "reserved": 0}])
    task = await wire.call(http, agent.url, wire.said("How much budget is left?"))
    assert task["status"]["state"] == "completed"
    (artifact,) = task["artifacts"]
    assert wire.text_of(artifact).startswith("team-token-budget/dba/hour: 4,287 of 5,000 tokens are left.")
    (request,) = gateway.requests
    assert (request["path"], request["body"]) == ("/v1/budget", None)


async def test_a_gateway_that_says_no_balance_leaves_the_last_answers(
    agent: Agent, gateway: Gateway, http: httpx.AsyncClient
) -> None:
    await wire.call(http, agent.url, wire.said("hi"))
    task = await wire.call(http, agent.url, wire.said("How much budget is left?"))
    (artifact,) = task["artifacts"]
    assert wire.text_of(artifact).startswith("By the last answer, 4,287 of 5,000 tokens are left.")
    assert len(gateway.asked) == 1


def of_task(task: dict[str, Any]) -> dict[str, Any]:
    report: dict[str, Any] = task["metadata"][URI]
    return report


async def test_the_ladder_spends_less_and_says_so(gateway: Gateway, http: httpx.AsyncClient, tmp_path: Path) -> None:
    gateway.serve(said("Use an index.", x_ratelimit_remaining="400"))
    ladder = {"BUDGET_LADDER": "true", "LLM_CHEAPER_MODEL": "mock-haiku-1b"}
    async with agent_beside(tmp_path, LLM_URL=gateway.url, **ladder) as agent:
        first, second = [await wire.call(http, agent.url, wire.said("hi")) for _ in range(2)]
    plain, fitted = (request["body"] for request in gateway.requests)
    assert "max_tokens" not in plain
    assert plain["model"] == "mock-essay-7b"
    assert (fitted["max_tokens"], fitted["model"]) == (400, "mock-haiku-1b")
    assert fitted["messages"][0]["content"].endswith(ASK_FOR_BREVITY)
    assert "ladder" not in of_task(first)
    assert of_task(second)["ladder"] == ["max_tokens 400", "asked for brevity", "model mock-haiku-1b"]
    assert of_task(first)["budget"] == {"limit": 5000, "remaining": 400, "reset": 1200, "unit": "tokens"}
    assert of_task(first)["warning"] == "Of the tightest budget 400 of 5,000 tokens are left."


async def test_without_the_ladder_nothing_is_changed(agent: Agent, gateway: Gateway, http: httpx.AsyncClient) -> None:
    gateway.serve(said("Use an index.", x_ratelimit_remaining="400"))
    for _ in range(2):
        task = await wire.call(http, agent.url, wire.said("hi"))
    first, second = (request["body"] for request in gateway.requests)
    assert first == second
    assert "ladder" not in of_task(task)


async def test_a_renewed_token_is_taken_after_one_refusal(gateway: Gateway, http: httpx.AsyncClient, tmp_path: Path) -> None:
    old, new = (jwt.encode({"team": "dba", "jti": name}, SECRET, algorithm="HS256") for name in ("old", "new"))
    file = tmp_path / "token"
    file.write_text(old)
    async with agent_beside(tmp_path, LLM_URL=gateway.url, LLM_JWT_FILE=str(file)) as agent:
        gateway.serve(Held("identity"), "ok")
        task = await wire.call(http, agent.url, wire.said("hi", blocking=False))
        await until(lambda: len(gateway.requests) == 1, "the call with the old token")
        file.write_text(new)
        gateway.hold.set()

        async def has_ended() -> bool:
            now = await wire.task_of(http, agent.url, task["id"])
            return bool(now["status"]["state"] == "completed")

        await until(has_ended, "the answer")
        assert [request["headers"]["authorization"] for request in gateway.requests] == [f"Bearer {old}", f"Bearer {new}"]
        assert [token in agent.log for token in (old, new)] == [False, False]


async def test_a_token_that_stays_refused_is_not_tried_again(gateway: Gateway, http: httpx.AsyncClient, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    gateway.serve("identity")
    async with agent_beside(tmp_path, LLM_URL=gateway.url, LLM_JWT_FILE=str(file)) as agent:
        task = await wire.call(http, agent.url, wire.said("hi"))
    assert task["status"]["state"] == "failed"
    assert len(gateway.requests) == 1
