"""What wrong requests are answered, in each dialect: the right error, nothing of the inside, and no traceback in the log."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from a2a.helpers import new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.context import ServerCallContext
from a2a.server.events import EventQueue
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import Task, TaskState, TaskStatus
from starlette.applications import Starlette

from agents.callers import Callers
from agents.card import build_card
from agents.compat import INTERNAL
from agents.endpoints import a2a_routes
from agents.handler import DiscreetHandler
from tests.unit.agents.doubles import settings

pytestmark = pytest.mark.anyio

V1 = {"a2a-version": "1.0"}
V03: dict[str, str] = {}
SECRET = "postgresql://agent:hunter2@db"


class Echo(AgentExecutor):
    """Answers what it was asked, and breaks when it is told to."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        text = context.get_user_input()
        if text == "break at once":
            raise OSError(SECRET)
        status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
        status.timestamp.GetCurrentTime()
        history = [context.message] if context.message else []
        await event_queue.enqueue_event(Task(id=context.task_id, context_id=context.context_id, status=status, history=history))
        if text == "break":
            raise OSError(SECRET)
        updater = TaskUpdater(event_queue, str(context.task_id), str(context.context_id))
        await updater.add_artifact([new_text_part(text)])
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        raise NotImplementedError


class Store(InMemoryTaskStore):
    broken = False

    async def get(self, task_id: str, context: ServerCallContext) -> Task | None:
        if self.broken:
            raise OSError(SECRET)
        return await super().get(task_id, context)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def agent(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    handler = DiscreetHandler(
        agent_executor=Echo(), task_store=store, agent_card=build_card(settings()), validate_input_modes=True
    )
    app = Starlette(routes=a2a_routes(handler, Callers(), 1))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent") as client:
        yield client
    await handler.aclose()


def rpc(method: str, params: object, request_id: object = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def message_1_0(*parts: object, **more: object) -> dict[str, Any]:
    return {"message": {"messageId": "m", "role": "ROLE_USER", "parts": list(parts), **more}}


def message_0_3(*parts: object, **more: object) -> dict[str, Any]:
    return {"message": {"kind": "message", "messageId": "m", "role": "user", "parts": list(parts), **more}}


TEXT_1_0 = {"text": "hi"}
TEXT_0_3 = {"kind": "text", "text": "hi"}


def events(response: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in response.text.splitlines() if line.startswith("data: ")]


PARAMS_1_0: list[object] = [
    None,
    [1],
    {},
    message_1_0(),
    message_1_0({}),
    message_1_0(5),
    message_1_0({"text": 5}),
    message_1_0(TEXT_1_0, role="ROLE_KING"),
    message_1_0(TEXT_1_0, contextId="x" * 257),
    message_1_0(TEXT_1_0, messageId="x" * 257),
    {"message": {"messageId": "m", "role": "ROLE_USER", "parts": "hi" * 5000}},
    {"message": "hi"},
]
PARAMS_0_3: list[object] = [
    None,
    {},
    message_0_3(),
    message_0_3({}),
    message_0_3(5),
    message_0_3({"kind": "video", "video": "x"}),
    message_0_3({"kind": "text", "text": 5}),
    message_0_3({"kind": "file", "file": {"bytes": "A"}}),
    message_0_3({"kind": "data", "data": {}, "metadata": {"data_part_compat": True}}),
    message_0_3(TEXT_0_3, role="king"),
    message_0_3(TEXT_0_3, contextId="x" * 257),
    message_0_3(TEXT_0_3, taskId=5),
    {"message": "hi"},
]


async def ask(agent: httpx.AsyncClient, method: str, params: object, version: dict[str, str]) -> dict[str, Any]:
    response = await agent.post("/", json=rpc(method, params), headers=version)
    assert response.status_code == 200
    if response.headers["content-type"].startswith("text/event-stream"):
        (answer,) = events(response)
    else:
        answer = response.json()
    assert answer["id"] == 1
    assert len(response.content) < 2000
    error: dict[str, Any] = answer["error"]
    return error


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING)
    return caplog


@pytest.mark.parametrize(
    ("version", "method", "params"),
    [
        *((V1, method, params) for method in ("SendMessage", "SendStreamingMessage") for params in PARAMS_1_0),
        *((V03, method, params) for method in ("message/send", "message/stream") for params in PARAMS_0_3),
        (V1, "GetTask", {"id": 5}),
        (V1, "ListTasks", {"pageSize": -5}),
        (V03, "tasks/get", {"id": 5}),
        (V03, "tasks/get", {}),
    ],
)
async def test_wrong_params_are_invalid_params(
    agent: httpx.AsyncClient, log: pytest.LogCaptureFixture, version: dict[str, str], method: str, params: object
) -> None:
    error = await ask(agent, method, params, version)
    assert error["code"] == -32602
    for inside in ("pydantic", "parseError", "NoneType", "input_value", "Traceback"):
        assert inside not in json.dumps(error)
    assert not [record for record in log.records if record.exc_info]


async def test_in_0_3_the_place_is_named(agent: httpx.AsyncClient) -> None:
    error = await ask(agent, "message/send", message_0_3(TEXT_0_3, role="king"), V03)
    assert error["message"] == "params.message.role: Input should be 'agent' or 'user'."


@pytest.mark.parametrize(
    ("version", "body", "code"),
    [
        (V1, [rpc("SendMessage", message_1_0(TEXT_1_0))], -32600),
        (V1, [], -32600),
        (V1, "hi", -32600),
        (V1, {"jsonrpc": "2.0", "id": 1}, -32600),
        (V1, {"jsonrpc": "1.0", "id": 1, "method": "GetTask", "params": {"id": "x"}}, -32600),
        (V1, rpc("SendMessage", 5), -32600),
        (V1, rpc("SendMessage", message_1_0(TEXT_1_0), [1]), -32600),
        (V1, rpc("SendMessage", message_1_0(TEXT_1_0), "x" * 257), -32600),
        (V1, rpc("SendMessage", message_1_0(TEXT_1_0), 10**200), -32600),
        (V03, rpc("message/send", message_0_3(TEXT_0_3), "x" * 257), -32600),
        (V1, rpc("DeleteEverything", {}), -32601),
        (V1, rpc("x" * 100_000, {}), -32601),
    ],
)
async def test_wrong_requests_are_told_so(
    agent: httpx.AsyncClient, log: pytest.LogCaptureFixture, version: dict[str, str], body: object, code: int
) -> None:
    response = await agent.post("/", json=body, headers=version)
    assert response.status_code == 200
    assert response.json()["error"]["code"] == code
    assert "parseError" not in response.text
    assert len(response.content) < 1000
    assert not [record for record in log.records if record.exc_info]


@pytest.mark.parametrize(
    ("version", "method", "params"),
    [
        (V1, "SendMessage", message_1_0({"text": "hi", "mediaType": "text/html"})),
        (V1, "SendMessage", message_1_0(TEXT_1_0, {"raw": "AAAA"})),
        (V1, "SendMessage", message_1_0({"url": "http://169.254.169.254/"})),
        (V1, "SendStreamingMessage", message_1_0({"raw": "AAAA", "mediaType": "image/png"})),
        (V03, "message/send", message_0_3({"kind": "file", "file": {"bytes": "AAAA"}})),
        (V03, "message/stream", message_0_3({"kind": "file", "file": {"uri": "file:///etc/passwd"}})),
    ],
)
async def test_what_is_no_text_is_refused(
    agent: httpx.AsyncClient, version: dict[str, str], method: str, params: object
) -> None:
    assert (await ask(agent, method, params, version))["code"] == -32005


@pytest.mark.parametrize("part", [{"text": "hi"}, {"text": "hi", "mediaType": "text/plain"}, {"data": {"decision": "approve"}}])
async def test_text_and_data_without_a_media_type_are_taken(agent: httpx.AsyncClient, part: object) -> None:
    response = await agent.post("/", json=rpc("SendMessage", message_1_0(part)), headers=V1)
    assert response.json()["result"]["task"]["status"]["state"] == "TASK_STATE_COMPLETED"


@pytest.mark.parametrize(
    ("version", "method", "params"),
    [
        (V1, "CreateTaskPushNotificationConfig", {"taskId": "t", "url": "http://10.0.0.1"}),
        (V1, "GetTaskPushNotificationConfig", {"taskId": "t", "id": "p"}),
        (V1, "ListTaskPushNotificationConfigs", {"taskId": "t"}),
        (V1, "DeleteTaskPushNotificationConfig", {"taskId": "t", "id": "p"}),
        (V03, "tasks/pushNotificationConfig/set", {"taskId": "t", "pushNotificationConfig": {"url": "http://10.0.0.1"}}),
        (V03, "tasks/pushNotificationConfig/get", {"id": "t"}),
        (V03, "tasks/pushNotificationConfig/list", {"id": "t"}),
        (V03, "tasks/pushNotificationConfig/delete", {"id": "t", "pushNotificationConfigId": "p"}),
    ],
)
async def test_push_notifications_are_not_offered(
    agent: httpx.AsyncClient, version: dict[str, str], method: str, params: object
) -> None:
    assert (await ask(agent, method, params, version))["code"] == -32003


@pytest.mark.parametrize(
    ("call", "version", "body", "status"),
    [
        ("POST /message:send", V1, [], 400),
        ("POST /message:send", V1, message_1_0(5), 400),
        ("POST /message:stream", V1, message_1_0(), 400),
        ("POST /v1/message:send", V03, [], 400),
        ("POST /v1/message:stream", V03, [], 400),
        ("POST /v1/message:stream", V03, {"message": 5}, 400),
        ("GET /v1/tasks/t?historyLength=many", V03, None, 400),
        ("GET /tasks/t?historyLength=many", V1, None, 400),
        ("GET /tasks?pageSize=9999999999999999", V1, None, 400),
        ("GET /tasks/t", V1, None, 404),
        ("GET /v1/tasks/t", V03, None, 404),
        ("GET /v1/tasks/t:subscribe", V03, None, 404),
        ("POST /tasks/t/pushNotificationConfigs", V1, {"url": "http://10.0.0.1"}, 400),
        ("GET /extendedAgentCard", V1, None, 400),
    ],
)
async def test_wrong_calls_of_http_json_are_no_servers_error(
    agent: httpx.AsyncClient, log: pytest.LogCaptureFixture, *, call: str, version: dict[str, str], body: Any, status: int
) -> None:
    response = await agent.request(*call.split(), json=body, headers=version)
    assert response.status_code == status
    assert response.json()["error"]["code"] == status
    assert not [record for record in log.records if record.exc_info]


CALLS = [
    ("/", V1, rpc("SendMessage", message_1_0({"text": "{text}"}))),
    ("/", V1, rpc("SendStreamingMessage", message_1_0({"text": "{text}"}))),
    ("/", V03, rpc("message/send", message_0_3({"kind": "text", "text": "{text}"}))),
    ("/", V03, rpc("message/stream", message_0_3({"kind": "text", "text": "{text}"}))),
    ("/message:send", V1, message_1_0({"text": "{text}"})),
    ("/message:stream", V1, message_1_0({"text": "{text}"})),
    ("/v1/message:send", V03, {"message": {"messageId": "m", "role": "ROLE_USER", "content": [{"text": "{text}"}]}}),
    ("/v1/message:stream", V03, {"message": {"messageId": "m", "role": "ROLE_USER", "content": [{"text": "{text}"}]}}),
]


@pytest.mark.parametrize("text", ["break", "break at once"])
@pytest.mark.parametrize(("path", "version", "body"), CALLS)
async def test_nothing_of_an_exception_is_told(
    agent: httpx.AsyncClient, log: pytest.LogCaptureFixture, *, path: str, version: dict[str, str], body: object, text: str
) -> None:
    response = await agent.post(path, content=json.dumps(body).replace("{text}", text), headers=version)
    assert SECRET not in response.text
    assert "Traceback" not in response.text
    assert INTERNAL in response.text
    # Whoever runs the agent is told.
    assert SECRET in log.text


@pytest.mark.parametrize(
    ("version", "method"),
    [
        (V1, "GetTask"),
        (V1, "CancelTask"),
        (V1, "SubscribeToTask"),
        (V03, "tasks/get"),
        (V03, "tasks/cancel"),
        (V03, "tasks/resubscribe"),
    ],
)
async def test_nothing_of_a_broken_store_is_told(
    agent: httpx.AsyncClient, store: Store, log: pytest.LogCaptureFixture, version: dict[str, str], method: str
) -> None:
    store.broken = True
    error = await ask(agent, method, {"id": "t"}, version)
    assert (error["code"], error["message"]) == (-32603, INTERNAL)
    assert SECRET in log.text


@pytest.mark.parametrize(
    ("path", "version", "body"),
    [
        ("/", V1, rpc("GetTask", {"id": "t"})),
        ("/", V03, rpc("tasks/get", {"id": "t"})),
        ("/message:send", V1, message_1_0(TEXT_1_0)),
    ],
)
async def test_a_user_who_cannot_be_named_is_refused(
    agent: httpx.AsyncClient, path: str, version: dict[str, str], body: object
) -> None:
    response = await agent.post(path, json=body, headers={**version, "x-user-id": "x" * 300})
    error = response.json()["error"]
    assert error["code"] in {-32600, 400}
    assert "x-user-id is longer than 256" in error["message"]


@pytest.mark.parametrize(("path", "version", "body"), CALLS)
async def test_each_user_sees_their_own_tasks(
    agent: httpx.AsyncClient, path: str, version: dict[str, str], body: object
) -> None:
    await agent.post(path, json=body, headers={**version, "x-user-id": "alice"})
    for user, count in (("alice", 1), ("bob", 0), ("", 0)):
        listed = await agent.get("/tasks", headers={**V1, "x-user-id": user})
        assert len(listed.json()["tasks"]) == count


@pytest.mark.parametrize(("version", "method"), [(V1, "GetTask"), (V03, "tasks/get")])
async def test_nothing_of_what_breaks_before_the_handler_is_told(
    agent: httpx.AsyncClient,
    log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    version: dict[str, str],
    method: str,
) -> None:
    def build(_: Callers, request: object) -> ServerCallContext:
        raise OSError(SECRET)

    monkeypatch.setattr(Callers, "build", build)
    error = await ask(agent, method, {"id": "t"}, version)
    assert (error["code"], error["message"]) == (-32603, INTERNAL)
    assert SECRET in log.text
