import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from a2a.server.context import ServerCallContext
from a2a.server.tasks.task_manager import TaskManager
from a2a.types import Task, TaskState, TaskStatus

from agents import app as app_module
from agents.app import create_agent
from agents.extension import URI
from agents.graph import build_graph
from agents.kit import GraphBuilder
from agents.server import executor as executor_module
from agents.server.callers import NamedUser
from agents.server.handler import DiscreetHandler
from agents.storage.store import Storage
from tests.unit.agents.doubles import (
    BUDGET,
    DONE,
    SPENT_BODY,
    STOP,
    USED,
    Gateway,
    answer,
    chunk,
    completion,
    settings,
    streamed,
)
from tests.unit.agents.own_graphs import one_node
from tests.waiting import until

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def client_of(
    storage: Storage, gateway: Gateway | None = None, graph: GraphBuilder = build_graph, **changes: object
) -> AsyncIterator[httpx.AsyncClient]:
    gateway = gateway or Gateway(answer(200, completion()))
    agent = create_agent(settings(**changes), storage, graph, httpx.MockTransport(gateway))
    async with (
        agent.app.router.lifespan_context(agent.app),
        httpx.AsyncClient(transport=httpx.ASGITransport(agent.app), base_url="http://agent") as client,
    ):
        yield client


def send_1_0(text: str = "hi", **ids: str) -> dict[str, Any]:
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}], **ids}
    return {"jsonrpc": "2.0", "id": "1", "method": "SendMessage", "params": {"message": message}}


def send_0_3(text: str = "hi") -> dict[str, Any]:
    message = {"kind": "message", "messageId": "m", "role": "user", "parts": [{"kind": "text", "text": text}]}
    return {"jsonrpc": "2.0", "id": "1", "method": "message/send", "params": {"message": message}}


async def rpc(
    client: httpx.AsyncClient, body: dict[str, Any], version: str | None = "1.0", user: str | None = None
) -> dict[str, Any]:
    headers = ({"A2A-Version": version} if version else {}) | ({"x-user-id": user} if user else {})
    response = await client.post("/", json=body, headers=headers)
    assert response.status_code == 200
    document: dict[str, Any] = response.json()
    return document


async def task_of(client: httpx.AsyncClient, text: str = "hi", **ids: str) -> dict[str, Any]:
    task: dict[str, Any] = (await rpc(client, send_1_0(text, **ids)))["result"]["task"]
    return task


async def test_it_is_healthy_and_shows_its_card(storage: Storage) -> None:
    async with client_of(storage) as client:
        assert (await client.get("/health")).json() == {"status": "ok"}
        card = (await client.get("/.well-known/agent-card.json")).json()
    assert card["name"] == "dba-agent"
    assert card["url"] == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "reply", [answer(200, completion("Use an index.")), streamed(chunk("Use an "), chunk("index."), STOP, USED, DONE)]
)
async def test_1_0_is_answered_at_the_root(storage: Storage, reply: Any) -> None:
    async with client_of(storage, Gateway(reply)) as client:
        task = await task_of(client)
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    assert "message" not in task["status"]
    assert [artifact["parts"] for artifact in task["artifacts"]] == [[{"text": "Use an index."}]]
    assert task["metadata"]["kagent_usage_metadata"]["totalTokenCount"] == 713
    assert task["metadata"][URI]["usage"]["total"] == 713


async def test_0_3_is_answered_at_the_root(storage: Storage) -> None:
    async with client_of(storage, Gateway(answer(200, completion("Use an index.")))) as client:
        task = (await rpc(client, send_0_3(), version=None))["result"]
    assert (task["kind"], task["status"]["state"]) == ("task", "completed")
    assert [artifact["parts"] for artifact in task["artifacts"]] == [[{"kind": "text", "text": "Use an index."}]]


async def test_http_json_is_answered_at_the_root(storage: Storage) -> None:
    async with client_of(storage, Gateway(answer(200, completion("Use an index.")))) as client:
        response = await client.post("/message:send", json=send_1_0()["params"], headers={"A2A-Version": "1.0"})
    assert response.json()["task"]["artifacts"][0]["parts"] == [{"text": "Use an index."}]


async def test_a_spent_budget_fails_the_task_and_costs_one_request(storage: Storage) -> None:
    gateway = Gateway(answer(429, SPENT_BODY, {"retry-after": "1200"}))
    async with client_of(storage, gateway) as client:
        task = (await rpc(client, send_0_3(), version=None))["result"]
    assert task["status"]["state"] == "failed"
    text, data = task["status"]["message"]["parts"]
    assert "(HTTP 429 from the gateway; team='dba'.) " in text["text"]
    assert data["data"] == {"budget": BUDGET}
    assert len(gateway.requests) == 1


async def test_a_context_goes_on_after_a_spent_budget(storage: Storage) -> None:
    gateway = Gateway(answer(429, SPENT_BODY), answer(200, completion("At last.")))
    async with client_of(storage, gateway) as client:
        refused = await task_of(client, "q1")
        task = await task_of(client, "continue", contextId=refused["contextId"])
    assert task["id"] != refused["id"]
    assert task["artifacts"][0]["parts"] == [{"text": "At last."}]
    assert gateway.conversation()[1:] == [("user", "q1"), ("user", "continue")]


async def test_a_context_goes_on_after_a_restart(storage: Storage) -> None:
    async with client_of(storage, Gateway(answer(200, completion("a")))) as client:
        await task_of(client, "q1", contextId="c")
    gateway = Gateway(answer(200, completion("b")))
    async with client_of(storage, gateway) as client:
        await task_of(client, "q2", contextId="c")
    assert gateway.conversation()[1:] == [("user", "q1"), ("assistant", "a"), ("user", "q2")]


async def test_the_budget_is_told_without_a_token(storage: Storage) -> None:
    gateway = Gateway(answer(200, {"budgets": [BUDGET | {"remaining": 4287}]}))
    async with client_of(storage, gateway) as client:
        task = await task_of(client, "How much budget is left?")
    assert "4,287 of 5,000 tokens are left." in task["artifacts"][0]["parts"][0]["text"]
    assert [(request.method, request.url.path) for request in gateway.requests] == [("GET", "/v1/budget")]


@pytest.mark.parametrize(("ladder", "model"), [(True, "cheap"), (False, "mock-essay-7b")])
async def test_the_ladder_is_climbed_where_it_is_switched_on(storage: Storage, ladder: bool, model: str) -> None:
    low = {"x-ratelimit-limit": "10000", "x-ratelimit-remaining": "900", "x-ratelimit-reset": "60"}
    gateway = Gateway(answer(200, completion(), low))
    async with client_of(storage, gateway, budget_ladder=ladder, llm_cheaper_model="cheap") as client:
        await task_of(client)
        task = await task_of(client)
    assert gateway.asked()["model"] == model
    assert ("ladder" in task["metadata"][URI]) is ladder


@pytest.mark.parametrize(("on_exhausted", "longest"), [("wait", 7.0), ("fail", 0)])
async def test_a_graph_learns_how_long_it_may_wait(storage: Storage, on_exhausted: str, longest: float) -> None:
    waits: list[float] = []

    def build(kit: Any) -> Any:
        waits.append(kit.longest_wait)
        return build_graph(kit)

    async with client_of(storage, graph=build, on_budget_exhausted=on_exhausted, budget_longest_wait=7):
        assert waits == [longest]


async def test_a_message_to_an_ended_task_is_an_error_that_says_so(storage: Storage) -> None:
    async with client_of(storage) as client:
        task = await task_of(client)
        error = (await rpc(client, send_1_0(taskId=task["id"])))["error"]
        with_context = (await rpc(client, send_1_0(taskId=task["id"], contextId=task["contextId"])))["error"]
    assert error["code"] == with_context["code"] == -32004
    assert "terminal state" in error["message"]


async def test_a_message_to_a_task_that_is_not_there_is_an_error_that_says_so(storage: Storage) -> None:
    async with client_of(storage) as client:
        error = (await rpc(client, send_1_0(taskId="nobody")))["error"]
    assert error["code"] == -32001


async def test_a_body_beyond_one_mebibyte_is_refused(storage: Storage) -> None:
    gateway = Gateway(answer(200, completion()))
    async with client_of(storage, gateway) as client:
        response = await client.post("/", json=send_1_0("x" * 1024 * 1024), headers={"A2A-Version": "1.0"})
    assert response.status_code == 413
    assert "1048576 bytes" in response.text
    assert gateway.requests == []


async def test_the_pools_of_connections_are_closed_at_the_end(storage: Storage) -> None:
    calls: list[Any] = []

    def build(kit: Any) -> Any:
        calls.append(kit.call_llm)
        return build_graph(kit)

    async with client_of(storage, graph=build) as client:
        await task_of(client)
    with pytest.raises(RuntimeError, match="closed"):
        await calls[0]([])


async def test_the_storage_is_swept_from_time_to_time_even_after_it_failed(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sweeps = 0

    async def sweep(_: bool) -> list[Any]:
        nonlocal sweeps
        sweeps += 1
        if sweeps == 1:
            raise OSError("the disk is full")
        return []

    monkeypatch.setattr(app_module, "SWEEP", 0.001)
    monkeypatch.setattr(storage, "sweep", sweep)
    caplog.set_level(logging.ERROR)
    async with client_of(storage):
        await until(lambda: sweeps > 2, "another sweep")
    swept = sweeps
    await asyncio.sleep(0)
    assert sweeps == swept
    assert "What is old could not be forgotten." in caplog.text


async def test_what_is_unfinished_at_the_shutdown_fails_and_is_told(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str, int]] = []

    def push(task: Task, call: ServerCallContext) -> None:
        told.append((task.id, call.user.user_name, task.status.state))

    monkeypatch.setattr(app_module, "pusher", lambda _: push)
    call = ServerCallContext(user=NamedUser("alice"))
    async with client_of(storage):
        working = Task(id="t", context_id="c", status=TaskStatus(state=TaskState.TASK_STATE_WORKING))
        await TaskManager(storage.tasks, call, "t", "c", None).process(working)
    assert told == [("t", "alice", TaskState.TASK_STATE_WORKING), ("t", "alice", TaskState.TASK_STATE_FAILED)]


async def test_a_shutdown_waits_for_no_task_whose_end_is_kept(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module, "LAST_WORDS", 3600)
    async with asyncio.timeout(20), client_of(storage) as client:
        await task_of(client)


async def test_a_shutdown_does_not_wait_for_ever_for_the_a2a_server(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def hangs(_: DiscreetHandler) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(DiscreetHandler, "aclose", hangs)
    monkeypatch.setattr(app_module, "LAST_WORDS", 0.01)
    async with asyncio.timeout(20), client_of(storage):
        pass
    assert "The A2A server did not close its tasks" in caplog.text


async def test_a_developers_own_graph_takes_the_place_of_ours(storage: Storage) -> None:
    shout = one_node(lambda state: {"reply": f"{state['messages'][-1].content}!"})
    async with client_of(storage, graph=shout) as client:
        task = await task_of(client, "hey")
    assert task["artifacts"][0]["parts"] == [{"text": "hey!"}]


async def test_a_context_of_another_user_is_refused_and_costs_nothing(storage: Storage) -> None:
    gateway = Gateway(answer(200, completion()))
    async with client_of(storage, gateway) as client:
        await rpc(client, send_1_0("q1", contextId="c"), user="alice")
        error = (await rpc(client, send_1_0("q2", contextId="c"), user="bob"))["error"]
        task = (await rpc(client, send_1_0("q3", contextId="c"), user="alice"))["result"]["task"]
    assert error["code"] == -32602
    assert "alice" not in error["message"]
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    assert [content for _, content in gateway.conversation()[1:]] == ["q1", "An essay.", "q3"]
    assert len(gateway.requests) == 2
