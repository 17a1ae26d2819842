"""The agent as its callers meet it: the SDK's own client in 1.0, and 0.3 as kagent's controller speaks it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from a2a.client import Client, ClientConfig, ClientFactory
from a2a.helpers import get_data_parts, get_message_text, new_text_message
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    StreamResponse,
    Task,
    TaskState,
)
from a2a.utils.errors import UnsupportedOperationError
from google.protobuf.json_format import MessageToDict

from tests.integration.agents import wire
from tests.integration.agents.conftest import TOKEN, Agent, until
from tests.integration.agents.gateway import Gateway
from tests.unit.agents.doubles import BUDGET

pytestmark = pytest.mark.anyio

SORRY = "Sorry — your team's LLM token budget is exhausted. Please try again later. (HTTP 429 from the gateway; team='dba'.) "


async def client_of(agent: Agent, http: httpx.AsyncClient, *, streaming: bool, binding: str = "JSONRPC") -> Client:
    config = ClientConfig(httpx_client=http, streaming=streaming, supported_protocol_bindings=[binding])
    return await ClientFactory(config).create_from_url(agent.url)


def said(text: str, *, at_once: bool = False, task_id: str = "", context_id: str = "") -> SendMessageRequest:
    message = new_text_message(text, role=Role.ROLE_USER, task_id=task_id, context_id=context_id)
    return SendMessageRequest(message=message, configuration=SendMessageConfiguration(return_immediately=at_once))


async def send(client: Client, request: SendMessageRequest) -> Task:
    responses = [response async for response in client.send_message(request)]
    assert [response.WhichOneof("payload") for response in responses] == ["task"]
    return responses[0].task


async def stream(client: Client, text: str) -> list[StreamResponse]:
    return [response async for response in client.send_message(said(text))]


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
async def test_the_sdks_client_sends_and_is_answered(
    agent: Agent, gateway: Gateway, http: httpx.AsyncClient, binding: str
) -> None:
    task = await send(await client_of(agent, http, streaming=False, binding=binding), said("Why is it slow?"))
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    assert [[part.text for part in artifact.parts] for artifact in task.artifacts] == [["Use an index."]]
    (request,) = gateway.requests
    assert request["headers"]["authorization"] == f"Bearer {TOKEN}"
    assert request["body"]["messages"][-1] == {"role": "user", "content": "Why is it slow?"}


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
async def test_the_sdks_client_streams_and_is_answered(
    agent: Agent, gateway: Gateway, http: httpx.AsyncClient, binding: str
) -> None:
    responses = await stream(await client_of(agent, http, streaming=True, binding=binding), "hi")
    assert [response.WhichOneof("payload") for response in responses] == [
        "task",
        "status_update",
        "status_update",
        "artifact_update",
        "status_update",
    ]
    assert get_message_text(responses[0].task.history[0]) == "hi"
    assert get_message_text(responses[2].status_update.status.message) == "Use an index."
    assert responses[3].artifact_update.last_chunk
    completed = responses[4].status_update
    assert completed.status.state == TaskState.TASK_STATE_COMPLETED
    assert MessageToDict(completed.metadata)["kagent_usage_metadata"]["totalTokenCount"] == 713
    assert len(gateway.requests) == 1


async def test_the_sdks_client_reads_a_spent_budget(agent: Agent, gateway: Gateway, http: httpx.AsyncClient) -> None:
    gateway.serve("budget")
    task = await send(await client_of(agent, http, streaming=False), said("hi"))
    assert task.status.state == TaskState.TASK_STATE_FAILED
    assert get_message_text(task.status.message).startswith(SORRY)
    assert get_data_parts(task.status.message.parts) == [{"budget": BUDGET}]
    assert len(gateway.requests) == 1


async def test_a_budget_that_is_back_goes_on_with_the_conversation(
    agent: Agent, gateway: Gateway, http: httpx.AsyncClient
) -> None:
    gateway.serve("ok", "budget", "ok")
    client = await client_of(agent, http, streaming=False)
    first = await send(client, said("q1"))
    await send(client, said("q2", context_id=first.context_id))
    third = await send(client, said("continue", context_id=first.context_id))
    assert third.status.state == TaskState.TASK_STATE_COMPLETED
    conversation = [message["content"] for message in gateway.requests[2]["body"]["messages"][1:]]
    assert conversation == ["q1", "Use an index.", "q2", "continue"]


async def test_cancelling_hangs_up_on_the_gateway(agent: Agent, gateway: Gateway, http: httpx.AsyncClient) -> None:
    gateway.serve("hang")
    client = await client_of(agent, http, streaming=False)
    task = await send(client, said("hi", at_once=True))
    until(lambda: len(gateway.requests) == 1, "The call to the gateway")
    cancelled = await client.cancel_task(CancelTaskRequest(id=task.id))
    assert cancelled.status.state == TaskState.TASK_STATE_CANCELED
    assert gateway.left.wait(10)
    stored = await client.get_task(GetTaskRequest(id=task.id))
    assert stored.status.state == TaskState.TASK_STATE_CANCELED


async def test_a_message_to_a_task_at_work_is_told_to_wait(agent: Agent, gateway: Gateway, http: httpx.AsyncClient) -> None:
    gateway.serve("hang")
    client = await client_of(agent, http, streaming=False)
    task = await send(client, said("hi", at_once=True))
    until(lambda: len(gateway.requests) == 1, "The call to the gateway")
    with pytest.raises(UnsupportedOperationError, match=f"contextId {task.context_id} and no taskId"):
        await send(client, said("and?", task_id=task.id))
    gateway.hold.set()
    answer = await send(client, said("and?", context_id=task.context_id))
    assert answer.status.state == TaskState.TASK_STATE_COMPLETED
    conversation = [message["content"] for message in gateway.requests[1]["body"]["messages"][1:]]
    assert conversation == ["hi", "Use an index.", "and?"]


async def test_0_3_is_answered(agent: Agent, gateway: Gateway, http: httpx.AsyncClient) -> None:
    task = await wire.call(http, agent.url, wire.said("hi"))
    assert (task["kind"], task["status"]["state"]) == ("task", "completed")
    assert [artifact["parts"] for artifact in task["artifacts"]] == [[{"kind": "text", "text": "Use an index."}]]
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("answer", ["budget", "solo"])
async def test_0_3_reads_a_spent_budget(agent: Agent, gateway: Gateway, http: httpx.AsyncClient, answer: str) -> None:
    gateway.serve(answer)
    task = await wire.call(http, agent.url, wire.said("hi"))
    assert task["status"]["state"] == "failed"
    text, *data = task["status"]["message"]["parts"]
    assert text["text"].startswith(SORRY)
    assert text["text"].endswith('are kept: send "continue" once the budget is back.')
    assert [part["data"] for part in data] == ([{"budget": BUDGET}] if answer == "budget" else [])
    assert len(gateway.requests) == 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("busy", (3, "provider is busy (HTTP 429)")),
        ("broken", (3, "The LLM failed (HTTP 500)")),
        ("identity", (1, "refused this agent's identity (HTTP 401: Jwt is expired)")),
        ("malformed", (1, "answer cannot be used")),
        ("refused", (1, "model not known")),
    ],
)
async def test_every_other_failure_ends_the_task_with_a_sentence(
    agent: Agent, gateway: Gateway, http: httpx.AsyncClient, answer: str, expected: tuple[int, str]
) -> None:
    gateway.serve(answer)
    task = await wire.call(http, agent.url, wire.said("hi"))
    assert task["status"]["state"] == "failed"
    (part,) = task["status"]["message"]["parts"]
    assert expected[1] in part["text"]
    assert len(gateway.requests) == expected[0]


async def test_a_failure_that_passes_is_not_seen(agent: Agent, gateway: Gateway, http: httpx.AsyncClient) -> None:
    gateway.serve("broken", "busy", "ok")
    task = await wire.call(http, agent.url, wire.said("hi"))
    assert task["status"]["state"] == "completed"
    assert len(gateway.requests) == 3


async def test_a_body_beyond_the_limit_is_refused(agent: Agent, gateway: Gateway, http: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 65536

    for content in (b"x" * 1_100_000, pieces()):
        response = await http.post(agent.url, content=content)
        assert response.status_code == 413
        assert "1048576 bytes" in response.json()["error"]["message"]
    assert gateway.requests == []


async def test_the_token_is_in_no_line_of_the_log(agent: Agent, gateway: Gateway, http: httpx.AsyncClient) -> None:
    gateway.serve("broken", "identity")
    await wire.call(http, agent.url, wire.said("hi"))
    assert "Attempt 1 at the LLM" in agent.log
    assert TOKEN not in agent.log
    assert TOKEN.split(".")[1] not in agent.log
