"""A real agent process in front of a small gateway that answers as the budget contract on the wire says."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from starlette.types import Receive, Scope, Send

from service.http import server
from tests.unit.agents.doubles import BUDGET

ROOT = Path(__file__).parents[3]
TOKEN = jwt.encode({"team": "dba", "sub": "dba"}, "a key of no importance, 32 bytes long", algorithm="HS256")


def until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come true within {seconds} s."
        time.sleep(0.02)


class Gateway:
    """An ASGI application. `answers` are given one after the other, the last one for ever."""

    def __init__(self) -> None:
        self.url = ""
        self.hold = threading.Event()
        self.serve("ok")

    def serve(self, *answers: str) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.left = threading.Event()
        self.hold.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        body += message["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests.append({"path": scope["path"], "headers": headers, "body": json.loads(body)})
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "hang" and not await self._held(receive):
            return
        status, extra, content = ANSWERS["ok" if answer == "hang" else answer]
        await send({"type": "http.response.start", "status": status, "headers": extra})
        await send({"type": "http.response.body", "body": content})

    async def _held(self, receive: Receive) -> bool:
        """True once the test lets the answer go, False where the agent hung up before."""
        gone = asyncio.ensure_future(receive())
        while not self.hold.is_set():
            if gone.done():
                self.left.set()
                return False
            await asyncio.sleep(0.01)
        gone.cancel()
        return True


def _answer(status: int, document: object, **headers: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    kind = b"text/plain" if isinstance(document, bytes) else b"application/json"
    extra = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    length = (b"content-length", str(len(content)).encode())
    return status, [(b"content-type", kind), length, *extra], content


ANSWERS = {
    "ok": _answer(
        200,
        {
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Use an index."}}],
            "usage": {"prompt_tokens": 13, "completion_tokens": 700, "total_tokens": 713},
        },
        x_ratelimit_limit="5000",
        x_ratelimit_remaining="4287",
        x_ratelimit_reset="1200",
    ),
    "budget": _answer(
        429,
        {
            "error": {
                "message": "Budget 'team-token-budget/dba/hour' is spent: 5,012 of 5,000 tokens. Resets in 1,234 s.",
                "type": "budget_exceeded",
                "code": "budget_exhausted",
                "param": None,
                "budget": BUDGET,
            }
        },
        x_ratelimit_limit="5000",
        x_ratelimit_remaining="0",
        x_ratelimit_reset="1234",
        retry_after="1234",
        x_should_retry="false",
        x_envoy_ratelimited="true",
    ),
    "solo": _answer(429, b"rate limit exceeded", x_ratelimit_reset="1234"),
    "busy": _answer(
        429,
        {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}},
        retry_after="0",
    ),
    "identity": _answer(401, b"Jwt is expired"),
    "broken": _answer(500, b"", retry_after="0"),
    "malformed": _answer(200, b'{"choices": [{"mess'),
    "refused": _answer(400, {"error": {"message": "model not known", "type": "invalid_request_error"}}),
}


@pytest.fixture(scope="session")
def serving() -> Iterator[Gateway]:
    gateway = Gateway()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gateway.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1/chat/completions"
        running = server(gateway)
        running.config.lifespan = "off"
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        until(lambda: running.started, "The stand-in gateway's start")
        yield gateway
        running.should_exit = True
        thread.join()


@pytest.fixture
def gateway(serving: Gateway) -> Gateway:
    serving.serve("ok")
    return serving


class Agent:
    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.url = url
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log
        try:
            return httpx.get(f"{self.url}/health", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def listens(self) -> bool:
        with socket.socket() as probe:
            host, port = self.url.removeprefix("http://").split(":")
            return probe.connect_ex((host, int(port))) == 0


def environment(**variables: str) -> dict[str, str]:
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return bare | variables


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running_agent(folder: Path, *command: str, **variables: str) -> Iterator[Agent]:
    """`command` is what Python is given, `-m agents` where it is nothing."""
    port = free_port()
    log = folder / "agent.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *(command or ("-m", "agents"))],
            cwd=ROOT,
            env=environment(**{"PORT": str(port), "LLM_JWT": TOKEN, "LOG_LEVEL": "DEBUG"} | variables),
            stdout=output,
            stderr=output,
        )
    agent = Agent(f"http://127.0.0.1:{port}", process, log)
    try:
        until(agent.answers, "The agent's health")
        yield agent
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


@pytest.fixture(scope="session")
def agent(serving: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with running_agent(tmp_path_factory.mktemp("agent"), LLM_URL=serving.url) as agent:
        yield agent
