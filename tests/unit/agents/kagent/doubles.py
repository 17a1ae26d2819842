"""kagent's controller as an agent sees it: a real HTTP server that can be well, slow or broken, and keeps what it was asked."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from a2a.helpers import new_text_message
from a2a.types import Message, Role, Task, TaskState
from starlette.types import Receive, Scope, Send

from service.http import server
from tests.waiting import until


class KagentController:
    def __init__(self) -> None:
        self.mode = "well"
        self.requests: list[dict[str, Any]] = []
        self.sessions: set[str] = set()
        self.tasks: dict[str, dict[str, Any]] = {}
        self.let_go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        body += message["body"]
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["raw_path"].decode()
        asked = {"call": f"{scope['method']} {path}", "headers": headers, "body": json.loads(body) if body else None}
        self.requests.append(asked)
        status, kind, content = await self._answer(asked)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", kind), (b"content-length", b"%d" % len(content))],
            }
        )
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, asked: dict[str, Any]) -> tuple[int, bytes, bytes]:
        if self.mode == "hang":
            await self.let_go.wait()
        if self.mode == "html":
            return 200, b"text/html; charset=utf-8", b"<html>Please log in</html>"
        if self.mode.isdecimal():
            return int(self.mode), b"application/json", b'{"error": true}'
        status = 200
        match asked["call"].split():
            case ["GET", path]:
                status = 200 if path.rpartition("/")[2] in self.sessions else 404
            case ["POST", "/api/sessions"]:
                self.sessions.add(asked["body"]["id"])
                status = 201
            case ["POST", "/api/tasks"]:
                self.tasks[asked["body"]["id"]] = asked["body"]
                status = 201
        return status, b"application/json", b'{"error": false}'

    def calls(self, beginning: str = "") -> list[str]:
        return [request["call"] for request in self.requests if request["call"].startswith(beginning)]

    def state(self, task_id: str) -> str | None:
        return self.tasks[task_id]["status"]["state"] if task_id in self.tasks else None


def listener(port: int = 0) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


@asynccontextmanager
async def serving(controller: KagentController, listening: socket.socket) -> AsyncIterator[str]:
    running = server(controller)
    running.config.lifespan = "off"
    task = asyncio.create_task(running.serve(sockets=[listening]))
    await until(lambda: running.started, "the start of the controller's double")
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        controller.let_go.set()
        running.should_exit = True
        await task


def said(text: str, role: Role = Role.ROLE_USER, partial: str | None = None) -> Message:
    message = new_text_message(text, role=role)
    if partial:
        message.metadata.update({partial: True})
    return message


def a_task(state: TaskState = TaskState.TASK_STATE_WORKING, task_id: str = "t1", context_id: str = "") -> Task:
    """In a context of its own, where none is named: `c1` for `t1`."""
    context_id = context_id or task_id.replace("t", "c", 1)
    task = Task(id=task_id, context_id=context_id, history=[said("Why is my\nquery slow today?")])
    task.status.state = state
    task.status.timestamp.GetCurrentTime()
    return task
