"""The budget service as a process of its own, and what a gateway and an operator ask of it."""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest, RateLimitResponse
from google.protobuf.json_format import ParseDict
from redis.asyncio import Redis

from budgets import ratelimit
from budgets.budget import Entries
from budgets.virtual_keys import authorization
from runner.health import http_ok
from runner.ports import Ports
from runner.process import Program
from runner.supervisor import Supervisor
from tests.waiting import until

CHECK = f"/{authorization.SERVICE}/Check"
SHOULD_RATE_LIMIT = f"/{ratelimit.SERVICE}/ShouldRateLimit"


@dataclass
class Service:
    environment: dict[str, str]
    policy: Path
    supervisor: Supervisor
    channel: grpc.aio.Channel
    http: httpx.AsyncClient
    """The operators' port."""
    balance: httpx.AsyncClient
    """The callers' port."""
    lines: list[str] = field(default_factory=list)

    @property
    def domain(self) -> str:
        return self.environment["BUDGETS_DOMAIN"]

    async def call(self, *descriptors: Entries, hits: int | None, domain: str | None = None) -> RateLimitResponse:
        """Descriptors as they are, all with these hits."""
        asked = [_descriptor(entries, hits) for entries in descriptors]
        return await self._ask({"domain": domain or self.domain, "descriptors": asked})

    async def check(self, dimensions: Mapping[str, str], request: str, max_tokens: int | None = None) -> RateLimitResponse:
        cap = {} if max_tokens is None else {"max_tokens": str(max_tokens)}
        return await self._describe([_described(dimensions, request, 0, cap)])

    async def charge(self, dimensions: Mapping[str, str], request: str, **figures: int) -> None:
        told = [_described(dimensions, request, hits, {"usage": figure}) for figure, hits in figures.items()]
        await self._describe(told)

    async def end(self, dimensions: Mapping[str, str], request: str, status: int) -> None:
        await self._describe([_described(dimensions, request, status, {"response_status": "http"})])

    async def authorize(self, credential: str) -> CheckResponse:
        headers = {"authorization": f"Bearer {credential}"}
        request = ParseDict({"attributes": {"request": {"http": {"headers": headers}}}}, CheckRequest())
        method = self.channel.unary_unary(
            CHECK, request_serializer=CheckRequest.SerializeToString, response_deserializer=CheckResponse.FromString
        )
        answer: CheckResponse = await method(request, timeout=20, wait_for_ready=True)
        return answer

    async def budgets(self) -> dict[str, dict[str, Any]]:
        """By id, of a policy in which no two are called the same."""
        return {budget["id"]: budget for budget in (await self.http.get("/v1/budgets")).json()["budgets"]}

    async def used(self) -> list[int]:
        return [budget["used"] for budget in (await self.http.get("/v1/budgets")).json()["budgets"]]

    async def put(self, text: str, name: str = "") -> None:
        """Write a document of the policy, and wait until it is in force."""
        file = self.policy / name
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            return
        before = await self._loaded_at()
        file.write_text(text, encoding="utf-8")

        async def is_in_force() -> bool:
            return await self._loaded_at() != before

        await until(is_in_force, "the edit to be taken up")

    async def says(self, words: str) -> None:
        await until(lambda: any(words in line for line in self.lines), f"the log to say {words!r}")

    async def forget(self) -> None:
        """Everything that its store holds."""
        async with Redis.from_url(self.environment["BUDGETS_STORE"]) as redis:
            keys = [key async for key in redis.scan_iter(f"budgets:{{{self.domain}}}:*")]
            if keys:
                await redis.delete(*keys)

    async def command(self, *words: str, **environment: str) -> tuple[int, str, str]:
        return await run("budgets", *words, environment={"BUDGETS_URL": str(self.http.base_url)} | environment)

    async def _loaded_at(self) -> str:
        return str((await self.http.get("/v1/budgets")).json()["policy"]["loaded_at"])

    async def _describe(self, descriptors: list[dict[str, Any]]) -> RateLimitResponse:
        return await self._ask({"domain": self.domain, "descriptors": descriptors})

    async def _ask(self, request: dict[str, Any]) -> RateLimitResponse:
        method = self.channel.unary_unary(
            SHOULD_RATE_LIMIT,
            request_serializer=RateLimitRequest.SerializeToString,
            response_deserializer=RateLimitResponse.FromString,
        )
        answer: RateLimitResponse = await method(ParseDict(request, RateLimitRequest()), timeout=20, wait_for_ready=True)
        return answer


@asynccontextmanager
async def running_service(store: str, policy: Path, in_force: Path | None = None, **settings: str) -> AsyncIterator[Service]:
    """On free ports, and of a domain of its own where `settings` name none; restarted by a supervisor when it is killed."""
    lines: list[str] = []
    with Ports() as ports:
        grpc_port, http_port, balance_port = ports.take(), ports.take(), ports.take()
        environment = {
            "BUDGETS_STORE": store,
            "BUDGETS_POLICY": os.fspath(policy),
            "BUDGETS_IN_FORCE": os.fspath(in_force) if in_force else "",
            "BUDGETS_DOMAIN": uuid.uuid4().hex,
            "BUDGETS_GRPC_PORT": str(grpc_port),
            "BUDGETS_HTTP_PORT": str(http_port),
            "BUDGETS_BALANCE_PORT": str(balance_port),
            **settings,
        }
        url = f"http://127.0.0.1:{http_port}"
        program = Program("budgets", (sys.executable, "-m", "budgets"), environment, http_ok(f"{url}/readyz"))
        async with (
            Supervisor(lambda _, line: lines.append(line), lines.append) as supervisor,
            grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel,
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as http,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{balance_port}", trust_env=False, timeout=20) as balance,
        ):
            await supervisor.start(program)
            yield Service(environment, policy, supervisor, channel, http, balance, lines)


async def run(*words: str, environment: dict[str, str]) -> tuple[int, str, str]:
    """A module of the project as a command: its exit code, what it wrote, and what it complained of."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await child.communicate()
    assert child.returncode is not None
    return child.returncode, out.decode(), err.decode()


def _described(dimensions: Mapping[str, str], request: str, hits: int, more: Mapping[str, str]) -> dict[str, Any]:
    entries = {"describes": "call", "request_id": request, **dimensions, **more}
    return _descriptor(tuple(entries.items()), hits)


def _descriptor(entries: Entries, hits: int | None) -> dict[str, Any]:
    told = {"entries": [{"key": key, "value": value} for key, value in entries]}
    return told if hits is None else {**told, "hitsAddend": str(hits)}
