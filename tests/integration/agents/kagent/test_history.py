"""What kagent's UI finds after a reload, and whether its user may go on: also when a pod or the controller has died."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from agents.texts import INTERRUPTED, SHUTTING_DOWN
from tests.integration.agents import wire
from tests.integration.agents.conftest import Agent, agent_beside, free_port
from tests.integration.agents.gateway import Gateway, calls, said, used
from tests.integration.agents.kagent.conftest import UNDER_KAGENT, Kagent
from tests.integration.agents.kagent.ui import history, is_blocked, tokens
from tests.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def context() -> str:
    return str(uuid4())


async def ask(http: httpx.AsyncClient, agent: Agent, context: str, text: str) -> list[object]:
    return [*await wire.all_events(http, agent.url, wire.said(text, "message/stream", context))]


async def told(kagent: Kagent, context: str, states: list[str]) -> None:
    def now() -> list[str]:
        return [task["status"]["state"] for task in kagent.of(context)]

    await until(lambda: now() == states, f"the controller's being told of {states}")


async def test_an_answer_a_spent_budget_and_a_failure_are_all_there(
    agent: Agent, gateway: Gateway, kagent: Kagent, http: httpx.AsyncClient, context: str
) -> None:
    gateway.serve(said("Use an index.", used(13, 700)), "budget", "broken", "broken", "broken", said("On a.", used(20, 30)))
    states = ["completed", "failed", "failed", "completed"]
    for number in range(4):
        await ask(http, agent, context, f"q{number + 1}")
        await told(kagent, context, states[: number + 1])
    tasks = kagent.of(context)
    said_by_all = history(tasks)
    assert [text for role, text in said_by_all if role == "user"] == ["q1", "q2", "q3", "q4"]
    answer, budget, failure, last = (text for role, text in said_by_all if role == "agent")
    assert (answer, last) == ("Use an index.", "On a.")
    assert budget.startswith("Sorry — your team's LLM token budget is exhausted.")
    assert failure.startswith("The LLM failed (HTTP 500)")
    assert tokens(tasks) == 713 + 50
    assert not is_blocked(tasks)


async def test_no_piece_of_an_answer_is_in_the_history(
    agent: Agent, gateway: Gateway, kagent: Kagent, http: httpx.AsyncClient, context: str
) -> None:
    gateway.serve("slow")
    async with wire.events(http, agent.url, wire.said("hi", "message/stream", context)) as stream:
        for words in ("Use ", "an ", "index."):
            gateway.slow.say(words)
            while wire.text_of((await anext(stream))["status"].get("message", {"parts": []})) != words:
                pass
        # The user's next message is held back, and rightly so.
        await until(lambda: is_blocked(kagent.of(context)), "the controller's being told of the task")
        gateway.slow.finish()
        assert [event["kind"] async for event in stream] == ["status-update", "artifact-update", "status-update"]
    await told(kagent, context, ["completed"])
    assert history(kagent.of(context)) == [("user", "hi"), ("agent", "Use an index.")]
    for request in kagent.requests:
        assert "kagent_adk_partial" not in str(request["body"])


async def test_a_tool_call_and_its_usage_are_in_the_history(
    agent: Agent, gateway: Gateway, kagent: Kagent, http: httpx.AsyncClient, context: str
) -> None:
    gateway.serve(calls("support", {"message": "Known?"}), said("It is.", used(5, 10)), said("Use an index.", used(20, 30)))
    await ask(http, agent, context, "hi")
    await told(kagent, context, ["completed"])
    (task,) = kagent.of(context)
    kinds = [part.get("metadata", {}).get("kagent_type") for message in task["history"] for part in message["parts"]]
    assert kinds == [None, "function_call", "function_response", None]
    assert history([task]) == [("user", "hi"), ("agent", "Use an index.")]
    assert tokens([task]) == 713 + 15 + 50


async def test_it_is_told_on_behalf_of_the_user_who_asked(
    agent: Agent, gateway: Gateway, kagent: Kagent, http: httpx.AsyncClient, context: str
) -> None:
    await ask(http, agent, context, "hi")
    await told(kagent, context, ["completed"])
    pushes = [request for request in kagent.requests if request["body"] and request["body"].get("contextId") == context]
    assert {request["headers"]["x-user-id"] for request in pushes} == {wire.USER}
    assert context in kagent.sessions


@pytest.mark.parametrize("mode", ["hang", "500"])
async def test_a_controller_that_is_not_well_is_told_once_it_is(
    agent: Agent, gateway: Gateway, kagent: Kagent, http: httpx.AsyncClient, mode: str
) -> None:
    context = str(uuid4())
    kagent.let_go = asyncio.Event()
    kagent.mode = mode
    for question in ("q1", "q2"):
        *_, last = await ask(http, agent, context, question)
        assert isinstance(last, dict)
        assert last["status"]["state"] == "completed"
    assert kagent.of(context) == []
    kagent.mode = "well"
    kagent.let_go.set()
    await told(kagent, context, ["completed", "completed"])
    assert sorted(history(kagent.of(context))) == sorted(
        [("user", "q1"), ("agent", "Use an index."), ("user", "q2"), ("agent", "Use an index.")]
    )


@pytest.fixture
async def mortal(gateway: Gateway, kagent: Kagent, tmp_path: Path) -> AsyncIterator[Agent]:
    """An agent for one test, in which it may die."""
    brief = {"SHUTDOWN_GRACE": "2"}
    async with agent_beside(tmp_path, LLM_URL=gateway.url, KAGENT_URL=kagent.url, **UNDER_KAGENT | brief) as agent:
        yield agent


async def words_have_come(http: httpx.AsyncClient, agent: Agent, gateway: Gateway, context: str, words: str) -> str:
    """The id of a task in the middle of its answer, of which somebody has read `words`."""
    async with wire.events(http, agent.url, wire.said("q2", "message/stream", context)) as stream:
        gateway.slow.say(words)
        async for event in stream:
            if event["kind"] == "status-update" and "message" in event["status"]:
                assert wire.text_of(event["status"]["message"]) == words
                return str(event["taskId"])
    raise AssertionError("The stream has ended.")


async def test_sigterm_in_the_middle_of_an_answer_leaves_no_task_at_work(
    mortal: Agent, gateway: Gateway, kagent: Kagent, http: httpx.AsyncClient, context: str
) -> None:
    gateway.serve("slow")
    await words_have_come(http, mortal, gateway, context, "Use an")
    mortal.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(mortal.process.wait, 25) == 0
    assert [task["status"]["state"] for task in kagent.of(context)] == ["failed"]
    assert history(kagent.of(context)) == [("user", "q2"), ("agent", SHUTTING_DOWN)]


async def test_a_controller_that_is_down_holds_up_neither_an_answer_nor_the_end(
    gateway: Gateway, http: httpx.AsyncClient, tmp_path: Path, context: str
) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    async with agent_beside(tmp_path, LLM_URL=gateway.url, KAGENT_URL=nobody, **UNDER_KAGENT) as agent:
        task = await wire.call(http, agent.url, wire.said("hi", context=context))
        assert task["status"]["state"] == "completed"
        agent.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(agent.process.wait, 25) == 0
        assert "controller is away" in agent.log


async def test_kill_9_in_the_middle_of_an_answer_ends_the_task_and_keeps_the_conversation(
    mortal: Agent, gateway: Gateway, kagent: Kagent, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    context = str(uuid4())
    gateway.serve("ok", "slow")
    await ask(http, mortal, context, "q1")
    await told(kagent, context, ["completed"])
    task_id = await words_have_come(http, mortal, gateway, context, "Use an")
    mortal.process.kill()
    await asyncio.to_thread(mortal.process.wait)
    gateway.serve("ok")

    async with agent_beside(tmp_path, LLM_URL=gateway.url, KAGENT_URL=kagent.url, **UNDER_KAGENT) as again:
        task = await wire.task_of(http, again.url, task_id)
        assert task["status"]["state"] == "failed"
        assert wire.text_of(task["status"]["message"]) == INTERRUPTED
        response = await http.post(again.url, json=wire.request("tasks/resubscribe", id=task_id), headers=wire.HEADERS)
        assert "working" not in response.text
        listed = await http.get(f"{again.url}/tasks", headers={"a2a-version": "1.0", "x-user-id": wire.USER})
        assert sorted(each["status"]["state"] for each in listed.json()["tasks"]) == [
            "TASK_STATE_COMPLETED",
            "TASK_STATE_FAILED",
        ]
        await told(kagent, context, ["completed", "failed"])
        assert history(kagent.of(context))[-1] == ("agent", INTERRUPTED)

        await ask(http, again, context, "continue")
        conversation = [message["content"] for message in gateway.requests[0]["body"]["messages"][1:]]
        assert conversation == ["q1", "Use an index.", "q2", "continue"]
        assert len(gateway.requests) == 1
        await told(kagent, context, ["completed", "failed", "completed"])
