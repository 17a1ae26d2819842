"""An agent that echoes, behind the real routes, and requests to it in each dialect."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from a2a.helpers import new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.context import ServerCallContext
from a2a.server.events import EventQueue
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import Task, TaskState, TaskStatus
from starlette.applications import Starlette

from agents.server.callers import Callers
from agents.server.card import build_card
from agents.server.endpoints import a2a_routes
from agents.server.handler import DiscreetHandler
from tests.unit.agents.doubles import settings

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


@asynccontextmanager
async def echoing(store: Store) -> AsyncIterator[httpx.AsyncClient]:
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
