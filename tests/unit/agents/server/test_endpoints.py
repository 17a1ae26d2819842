"""What wrong requests are answered, in each dialect: the right error, and no traceback in the log."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.unit.agents.dialects import TEXT_0_3, TEXT_1_0, V03, V1, Store, ask, echoing, message_0_3, message_1_0, rpc

pytestmark = pytest.mark.anyio


@pytest.fixture
async def agent() -> AsyncIterator[httpx.AsyncClient]:
    async with echoing(Store()) as client:
        yield client


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
