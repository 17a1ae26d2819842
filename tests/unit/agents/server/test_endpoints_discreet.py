"""What callers are told of what breaks inside, which is nothing, and of other users, which is nothing either."""

import json
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from a2a.server.context import ServerCallContext

from agents.server.callers import Callers
from agents.server.compat import INTERNAL
from tests.unit.agents.dialects import SECRET, TEXT_1_0, V03, V1, Store, ask, echoing, message_0_3, message_1_0, rpc

pytestmark = pytest.mark.anyio


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def agent(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    async with echoing(store) as client:
        yield client


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING)
    return caplog


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
