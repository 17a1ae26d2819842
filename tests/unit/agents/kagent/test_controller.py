"""The pusher against a real server that stands in for kagent's controller."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from a2a.types import Role, TaskState

from agents.config import Settings
from agents.kagent.controller import Controller, connect
from tests.unit.agents.doubles import settings
from tests.unit.agents.kagent.doubles import KagentController, a_task, listener, said, serving
from tests.waiting import until

pytestmark = pytest.mark.anyio

COMPLETED = TaskState.TASK_STATE_COMPLETED


@pytest.fixture
def kagent() -> KagentController:
    return KagentController()


@pytest.fixture
async def url(kagent: KagentController) -> AsyncIterator[str]:
    async with serving(kagent, listener()) as url:
        yield url


def of_kagent(url: str, tmp_path: Path) -> Settings:
    token = tmp_path / "token"
    if not token.exists():
        token.write_text("a-token-of-the-agent")
    return settings(kagent_url=url, kagent_name="dba-agent", kagent_namespace="kagent", kagent_token_file=token)


@asynccontextmanager
async def connected(url: str, tmp_path: Path, **changes: object) -> AsyncIterator[Controller]:
    controller = connect(of_kagent(url, tmp_path), pause=lambda _: 0.01, **changes)  # type: ignore[arg-type]
    assert controller
    try:
        yield controller
    finally:
        await controller.aclose(0)


@pytest.mark.parametrize("missing", ["kagent_url", "kagent_name", "kagent_namespace"])
def test_outside_of_kagent_there_is_none(missing: str) -> None:
    inside = {"kagent_url": "http://controller:8083", "kagent_name": "dba", "kagent_namespace": "kagent"}
    assert connect(settings(**inside | {missing: None})) is None


async def test_a_task_is_pushed_after_its_session(kagent: KagentController, url: str, tmp_path: Path) -> None:
    async with connected(url, tmp_path) as controller:
        controller.push(a_task(), "alice")
        await until(lambda: "t1" in kagent.tasks, "the push")
    assert kagent.calls() == ["GET /api/sessions/c1", "POST /api/sessions", "POST /api/tasks"]
    for request in kagent.requests:
        assert request["headers"]["x-user-id"] == "alice"
        assert request["headers"]["x-agent-name"] == "kagent__NS__dba_agent"
        assert request["headers"]["authorization"] == "Bearer a-token-of-the-agent"
        # Without it, the controller reads 0.3.
        assert "a2a-version" not in request["headers"]
    assert kagent.requests[1]["body"] == {"id": "c1", "agent_ref": "kagent/dba-agent", "name": "Why is my query slow"}
    assert kagent.requests[2]["headers"]["content-type"] == "application/json"
    assert kagent.tasks["t1"]["kind"] == "task"


async def test_what_an_agent_asked_is_its_session_and_not_the_users(kagent: KagentController, url: str, tmp_path: Path) -> None:
    async with connected(url, tmp_path) as controller:
        controller.push(a_task(), "alice", "agent")
        await until(lambda: "t1" in kagent.tasks, "the push")
    assert kagent.requests[1]["body"]["source"] == "agent"


async def test_a_session_that_is_there_is_left_alone_and_asked_for_once(
    kagent: KagentController, url: str, tmp_path: Path
) -> None:
    kagent.sessions.add("c1")
    async with connected(url, tmp_path) as controller:
        for task_id in ("t1", "t2"):
            controller.push(a_task(task_id=task_id, context_id="c1"), "alice")
            await until(lambda task_id=task_id: task_id in kagent.tasks, "the push")  # type: ignore[misc]
    assert kagent.calls() == ["GET /api/sessions/c1", "POST /api/tasks", "POST /api/tasks"]


async def test_a_contexts_id_is_no_path(kagent: KagentController, url: str, tmp_path: Path) -> None:
    async with connected(url, tmp_path) as controller:
        controller.push(a_task(context_id="../tasks/t9?x=é"), "alice")
        await until(lambda: "t1" in kagent.tasks, "the push")
    assert kagent.calls()[0] == "GET /api/sessions/..%2Ftasks%2Ft9%3Fx%3D%C3%A9"


async def test_the_last_version_wins(kagent: KagentController, url: str, tmp_path: Path) -> None:
    kagent.mode = "hang"
    async with connected(url, tmp_path) as controller:
        task = a_task(TaskState.TASK_STATE_SUBMITTED)
        controller.push(task, "alice")
        await until(lambda: bool(kagent.requests), "the first call")
        for state in (TaskState.TASK_STATE_WORKING, COMPLETED):
            task.status.state = state
            controller.push(task, "alice")
        task.history.append(said("changed after the push", Role.ROLE_AGENT))
        kagent.mode = "well"
        kagent.let_go.set()
        await until(lambda: kagent.state("t1") == "completed", "the last version")
    assert [request["body"]["status"]["state"] for request in kagent.requests if request["call"] == "POST /api/tasks"] == [
        "submitted",
        "completed",
    ]
    assert len(kagent.tasks["t1"]["history"]) == 1


async def test_one_that_does_not_answer_holds_up_no_other(kagent: KagentController, url: str, tmp_path: Path) -> None:
    kagent.sessions.add("c1")
    async with connected(url, tmp_path) as controller:
        kagent.mode = "hang"
        controller.push(a_task(task_id="stuck"), "alice")
        await until(lambda: bool(kagent.requests), "the first call")
        kagent.mode = "well"
        controller.push(a_task(task_id="other"), "alice")
        await until(lambda: "other" in kagent.tasks, "the other task's push")
        assert "stuck" not in kagent.tasks


@pytest.mark.parametrize("mode", ["500", "503", "429", "408", "html"])
async def test_a_controller_that_is_not_well_is_tried_until_it_is(
    kagent: KagentController, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    caplog.set_level(logging.INFO, "agents.kagent")
    kagent.mode = mode
    async with connected(url, tmp_path) as controller:
        for task_id in ("t1", "t2", "t3"):
            controller.push(a_task(task_id=task_id), "alice")
        await until(lambda: len(kagent.requests) > 9, "several tries")
        kagent.mode = "well"
        await until(lambda: len(kagent.tasks) == 3, "the pushes")
        await until(lambda: not controller.busy, "the end of all pushes")
    assert [record.message.split(" (")[0].split(";")[0] for record in caplog.records] == [
        "kagent's controller is away",
        "kagent's controller is back",
    ]
    assert "a-token-of-the-agent" not in caplog.text


async def test_another_try_is_with_the_last_version(kagent: KagentController, url: str, tmp_path: Path) -> None:
    kagent.sessions.add("c1")
    kagent.mode = "503"
    async with connected(url, tmp_path) as controller:
        controller.push(a_task(), "alice")
        await until(lambda: len(kagent.requests) > 2, "a second try")
        controller.push(a_task(COMPLETED), "alice")
        tried = len(kagent.requests)
        await until(lambda: len(kagent.requests) > tried + 1, "a try with the last version")
        before = len(kagent.requests)
        kagent.mode = "well"
        await until(lambda: not controller.busy, "the push")
    pushed = [request["body"]["status"]["state"] for request in kagent.requests[before:] if request["body"]]
    assert set(pushed) == {"completed"}


async def test_a_controller_that_starts_later_is_told(kagent: KagentController, tmp_path: Path) -> None:
    with listener() as taken:
        port = taken.getsockname()[1]
    async with connected(f"http://127.0.0.1:{port}", tmp_path) as controller:
        controller.push(a_task(), "alice")
        async with serving(kagent, listener(port)):
            await until(lambda: "t1" in kagent.tasks, "the push")


@pytest.mark.parametrize("mode", ["400", "401", "403", "409", "302"])
async def test_what_the_controller_refuses_is_not_tried_again(
    kagent: KagentController, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    kagent.mode = mode
    async with connected(url, tmp_path) as controller:
        controller.push(a_task(), "alice")
        await until(lambda: "refused task t1" in caplog.text, "the line that says so")
        kagent.mode = "well"
        controller.push(a_task(task_id="t2"), "alice")
        await until(lambda: "t2" in kagent.tasks, "the next task's push")
    assert "t1" not in kagent.tasks
    assert f"HTTP {mode}" in caplog.text
    assert "a-token-of-the-agent" not in caplog.text


async def test_it_gives_up_after_a_while_and_says_so_once(
    kagent: KagentController, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kagent.mode = "500"
    now = 0.0
    async with connected(url, tmp_path, clock=lambda: now) as controller:
        for task_id in ("t1", "t2", "t3", "t4", "t5"):
            controller.push(a_task(task_id=task_id), "alice")
        await until(lambda: len(kagent.requests) > 5, "a second try")
        now = 601.0
        await until(lambda: not controller.busy, "the end of all tries")
    assert caplog.text.count("away for too long") == 1


async def test_more_than_it_keeps_are_dropped_and_told_once(
    kagent: KagentController, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kagent.mode = "hang"
    async with connected(url, tmp_path, most=10) as controller:
        for number in range(100):
            controller.push(a_task(task_id=f"t{number}"), "alice")
        controller.push(a_task(COMPLETED, "the end"), "alice")
        await until(lambda: len(kagent.requests) == 4, "the calls under way")
        kagent.mode = "well"
        kagent.let_go.set()
        await until(lambda: not controller.busy, "the pushes")
    assert "the end" in kagent.tasks
    assert "t99" in kagent.tasks
    assert len(kagent.tasks) <= 14
    assert caplog.text.count("more tasks wait for it than are kept") == 1


async def test_a_token_that_was_renewed_is_used(kagent: KagentController, url: str, tmp_path: Path) -> None:
    async with connected(url, tmp_path) as controller:
        controller.push(a_task(), "alice")
        await until(lambda: "t1" in kagent.tasks, "the push")
        (tmp_path / "token").write_text("another-token")
        controller.push(a_task(task_id="t2"), "alice")
        await until(lambda: "t2" in kagent.tasks, "the next push")
    assert kagent.requests[-1]["headers"]["authorization"] == "Bearer another-token"


async def test_at_the_end_what_is_left_is_pushed(kagent: KagentController, url: str, tmp_path: Path) -> None:
    kagent.mode = "503"
    controller = connect(of_kagent(url, tmp_path), pause=lambda _: 3600)
    assert controller
    for number in range(20):
        controller.push(a_task(COMPLETED, f"t{number}"), "alice")
    await until(lambda: len(kagent.requests) >= 4, "the first tries")
    kagent.mode = "well"
    await controller.aclose(20)
    assert len(kagent.tasks) == 20


async def test_at_the_end_a_controller_that_hangs_holds_up_nothing(
    kagent: KagentController, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kagent.mode = "hang"
    controller = connect(of_kagent(url, tmp_path))
    assert controller
    controller.push(a_task(COMPLETED), "alice")
    await until(lambda: bool(kagent.requests), "the call")
    before = asyncio.all_tasks()
    await controller.aclose(0.05)
    controller.push(a_task(COMPLETED, "t2"), "alice")
    assert not controller.busy
    assert len(asyncio.all_tasks()) < len(before)
    assert "was not told of the last 1 tasks" in caplog.text
