"""A real agent process in front of a small gateway, and how the tests speak with it."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import jwt
import pytest
from starlette.types import ASGIApp

from service.http import server
from tests.integration.agents.gateway import Gateway

ROOT = Path(__file__).parents[3]
SECRET = "a key of no importance, 32 bytes long"
TOKEN = jwt.encode({"team": "dba", "sub": "dba"}, SECRET, algorithm="HS256")


def until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come true within {seconds} s."
        time.sleep(0.02)


@contextmanager
def in_thread(app: ASGIApp) -> Iterator[str]:
    """Serves it beside the test, which may block. Yields the URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        running = server(app)
        running.config.lifespan = "off"
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            until(lambda: running.started, "The start of what the agent calls")
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def serving() -> Iterator[Gateway]:
    gateway = Gateway()
    with in_thread(gateway) as url:
        gateway.url = f"{url}/v1/chat/completions"
        yield gateway


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

    @property
    def highest_memory(self) -> int:
        """Bytes that were resident at most, so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])

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
    """`command` is what Python is given, `-m agents` where it is nothing. What the agent keeps is in `folder`."""
    port = free_port()
    log = folder / f"agent-{port}.log"
    store = f"sqlite:///{folder / 'agent.sqlite3'}"
    given = {"PORT": str(port), "LLM_JWT": TOKEN, "LOG_LEVEL": "DEBUG", "AGENT_STORE": store} | variables
    if "LLM_JWT_FILE" in variables:
        del given["LLM_JWT"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *(command or ("-m", "agents"))],
            cwd=ROOT,
            env=environment(**given),
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


@asynccontextmanager
async def agent_beside(folder: Path, **variables: str) -> AsyncIterator[Agent]:
    """A `running_agent` whose start and end leave this loop free to serve what the agent calls meanwhile."""
    running = running_agent(folder, **variables)
    agent = await asyncio.to_thread(running.__enter__)
    try:
        yield agent
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


@pytest.fixture(scope="session")
def agent(serving: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with running_agent(tmp_path_factory.mktemp("agent"), LLM_URL=serving.url) as agent:
        yield agent


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=httpx.Timeout(30), trust_env=False) as client:
        yield client
