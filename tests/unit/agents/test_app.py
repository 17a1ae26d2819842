from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from starlette.applications import Starlette

from agents.app import create_app
from agents.graph import AgentState, Graph
from agents.llm import CallLLM
from tests.unit.agents.doubles import BUDGET, SPENT_BODY, Gateway, answer, answered, completion, llm_through, settings

pytestmark = pytest.mark.anyio


def agent(gateway: Gateway) -> Starlette:
    return create_app(settings(), llm=llm_through(gateway))


@asynccontextmanager
async def client_of(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent") as client,
    ):
        yield client


def send_1_0(text: str = "hi", **ids: str) -> dict[str, Any]:
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}], **ids}
    return {"jsonrpc": "2.0", "id": "1", "method": "SendMessage", "params": {"message": message}}


def send_0_3(text: str = "hi") -> dict[str, Any]:
    message = {"kind": "message", "messageId": "m", "role": "user", "parts": [{"kind": "text", "text": text}]}
    return {"jsonrpc": "2.0", "id": "1", "method": "message/send", "params": {"message": message}}


async def rpc(client: httpx.AsyncClient, body: dict[str, Any], version: str | None = "1.0") -> dict[str, Any]:
    response = await client.post("/", json=body, headers={"A2A-Version": version} if version else {})
    assert response.status_code == 200
    document: dict[str, Any] = response.json()
    return document


async def test_it_is_healthy_and_shows_its_card() -> None:
    async with client_of(agent(Gateway(answer(200, completion())))) as client:
        assert (await client.get("/health")).json() == {"status": "ok"}
        card = (await client.get("/.well-known/agent-card.json")).json()
    assert card["name"] == "dba-agent"
    assert card["url"] == "http://127.0.0.1:8080"


async def test_1_0_is_answered_at_the_root() -> None:
    async with client_of(agent(Gateway(answer(200, completion("Use an index."))))) as client:
        task = (await rpc(client, send_1_0()))["result"]["task"]
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    assert "message" not in task["status"]
    assert [artifact["parts"] for artifact in task["artifacts"]] == [[{"text": "Use an index."}]]
    assert task["metadata"]["kagent_usage_metadata"]["totalTokenCount"] == 713


async def test_0_3_is_answered_at_the_root() -> None:
    async with client_of(agent(Gateway(answer(200, completion("Use an index."))))) as client:
        task = (await rpc(client, send_0_3(), version=None))["result"]
    assert (task["kind"], task["status"]["state"]) == ("task", "completed")
    assert [artifact["parts"] for artifact in task["artifacts"]] == [[{"kind": "text", "text": "Use an index."}]]


async def test_http_json_is_answered_at_the_root() -> None:
    async with client_of(agent(Gateway(answer(200, completion("Use an index."))))) as client:
        response = await client.post("/message:send", json=send_1_0()["params"], headers={"A2A-Version": "1.0"})
    assert response.json()["task"]["artifacts"][0]["parts"] == [{"text": "Use an index."}]


async def test_a_spent_budget_fails_the_task_and_costs_one_request() -> None:
    gateway = Gateway(answer(429, SPENT_BODY, {"retry-after": "1200"}))
    async with client_of(agent(gateway)) as client:
        task = (await rpc(client, send_0_3(), version=None))["result"]
    assert task["status"]["state"] == "failed"
    text, data = task["status"]["message"]["parts"]
    assert "(HTTP 429 from the gateway; team='dba'.) " in text["text"]
    assert data["data"] == {"budget": BUDGET}
    assert len(gateway.requests) == 1


async def test_a_context_goes_on_after_a_spent_budget() -> None:
    gateway = Gateway(answer(429, SPENT_BODY), answer(200, completion("At last.")))
    async with client_of(agent(gateway)) as client:
        refused = (await rpc(client, send_1_0("q1")))["result"]["task"]
        task = (await rpc(client, send_1_0("continue", contextId=refused["contextId"])))["result"]["task"]
    assert task["id"] != refused["id"]
    assert task["artifacts"][0]["parts"] == [{"text": "At last."}]
    assert gateway.conversation()[1:] == [("user", "q1"), ("user", "continue")]


async def test_a_message_to_an_ended_task_is_an_error_that_says_so() -> None:
    async with client_of(agent(Gateway(answer(200, completion())))) as client:
        task = (await rpc(client, send_1_0()))["result"]["task"]
        error = (await rpc(client, send_1_0(taskId=task["id"])))["error"]
    assert error["code"] == -32004
    assert "terminal state" in error["message"]


async def test_a_message_to_a_task_that_is_not_there_is_an_error_that_says_so() -> None:
    async with client_of(agent(Gateway(answer(200, completion())))) as client:
        error = (await rpc(client, send_1_0(taskId="nobody")))["error"]
    assert error["code"] == -32001


async def test_a_body_beyond_one_mebibyte_is_refused() -> None:
    gateway = Gateway(answer(200, completion()))
    async with client_of(agent(gateway)) as client:
        response = await client.post("/", json=send_1_0("x" * 1024 * 1024), headers={"A2A-Version": "1.0"})
    assert response.status_code == 413
    assert "1048576 bytes" in response.json()["error"]["message"]
    assert gateway.requests == []


async def test_the_pool_of_connections_is_closed_at_the_end() -> None:
    llm = llm_through(Gateway(answer(200, completion())))
    async with client_of(create_app(settings(), llm=llm)) as client:
        await rpc(client, send_1_0())
    with pytest.raises(RuntimeError, match="closed"):
        await llm([HumanMessage("hi")])


async def test_a_developers_own_graph_takes_the_place_of_ours() -> None:
    def build(call_llm: CallLLM, *, team: str, system_prompt: str, checkpointer: BaseCheckpointSaver[Any]) -> Graph:
        def shout(state: AgentState) -> dict[str, object]:
            return {"reply": f"{team}: {state['messages'][-1].content}!", "outcome": answered()}

        graph = StateGraph(AgentState)
        graph.add_node("shout", shout)
        graph.add_edge(START, "shout")
        graph.add_edge("shout", END)
        return graph.compile(checkpointer=checkpointer)

    async with client_of(create_app(settings(), graph=build)) as client:
        task = (await rpc(client, send_1_0("hey")))["result"]["task"]
    assert task["artifacts"][0]["parts"] == [{"text": "dba: hey!"}]
