"""A provider that answers with whatever bytes a test wants: what our mock LLM, which is well-behaved, does not do."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from runner.health import http_ok
from runner.ports import Ports
from service.http import listen, server
from tests.systems import Running

USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}


@dataclass
class Provider:
    """`gateway` is the address of a gateway in front of it, with the budgets of the system that it was started in."""

    gateway: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def answers(self, usage: Any, content_type: str | None = "application/json", **headers: str) -> None:
        self.headers = ({} if content_type is None else {"content-type": content_type}) | headers
        self.body = json.dumps({"model": "m", "choices": [], "usage": usage}).encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


@asynccontextmanager
async def provider_behind(system: Running) -> AsyncIterator[Provider]:
    with Ports() as ports:
        own, port, admin_port = ports.take(), ports.take(), ports.take()
        url = f"http://127.0.0.1:{port}"
        provider = Provider(url)
        serving = server(provider)
        task = asyncio.create_task(serving.serve(sockets=[listen("127.0.0.1", own, "nothing")]))
        first = system.system.programs.gateway()
        told = {"GATEWAY_PORT": str(port), "GATEWAY_ADMIN_PORT": str(admin_port), "GATEWAY_LLM": f"127.0.0.1:{own}"}
        environment = {**first.environment, **told}
        await system.supervisor.start(replace(first, name="other", environment=environment, health=http_ok(f"{url}/healthz")))
        yield provider
        serving.should_exit = True
        await task
