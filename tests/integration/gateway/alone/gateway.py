"""Envoy as a real process, with doubles of all that it calls."""

import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from runner.health import http_ok
from runner.ports import Ports
from runner.process import Program
from runner.supervisor import Supervisor
from tests.integration.gateway.alone.budget_service import Ask, BudgetService
from tests.integration.gateway.tokens import another_key, token
from tests.integration.gateway.upstream import ANSWER, Upstream
from tests.waiting import until

KID = "the-double's"
DOMAIN = "the-tests"


@dataclass
class Gateway:
    url: str
    key: RSAPrivateKey
    """What its issuer signs with."""
    stop_budgets: Callable[[], Awaitable[None]]
    budgets: BudgetService = field(default_factory=BudgetService)
    llm: Upstream = field(default_factory=Upstream)
    callers: Upstream = field(default_factory=Upstream)
    """Where the budget service answers callers."""
    lines: list[str] = field(default_factory=list)
    """What Envoy has written."""

    async def forget(self) -> None:
        """Back to the first day, once every charge has come."""
        await until(lambda: not self.budgets.under_way, "the charges of earlier calls")
        self.budgets.refuses = False
        for record in (self.budgets.keys, self.budgets.asked, self.budgets.authorized, self.llm.heard, self.callers.heard):
            record.clear()
        self.llm.answers(ANSWER)
        self.callers.answers({"budgets": []})

    def token(self, **claims: Any) -> str:
        return token(self.key, KID, **claims)

    async def call(
        self, http: httpx.AsyncClient, bearer: str | None = None, headers: Mapping[str, str] | None = None, **body: Any
    ) -> httpx.Response:
        return await self.send(http, json.dumps({"messages": []} | body), bearer, headers)

    async def send(
        self, http: httpx.AsyncClient, body: str, bearer: str | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        sent = {"authorization": f"Bearer {bearer or self.token()}", "content-type": "application/json"} | dict(headers or {})
        return await http.post(f"{self.url}/v1/chat/completions", content=body, headers=sent)

    async def charge(self) -> Ask:
        """The one charge of the one call, once it has come."""
        await until(lambda: len(self.budgets.charges) > 0, "a charge")
        (charge,) = self.budgets.charges
        return charge

    async def logged(self, request_id: str) -> dict[str, Any]:
        """The access log's line for a request."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            entries = (json.loads(line) for line in self.lines if line.startswith("{"))
            found.extend(entry for entry in entries if entry["request_id"] == request_id)
            return bool(found)

        await until(is_there, f"a line of the access log for {request_id}")
        return found[0]


@asynccontextmanager
async def gateway_alone(**environment: str) -> AsyncIterator[Gateway]:
    """`environment` is told to the gateway in place of where its doubles are."""
    async with AsyncExitStack() as stack:
        ports = stack.enter_context(Ports())
        at = {name: ports.take() for name in ("budgets", "issuer", "llm", "callers", "gateway", "admin")}
        budgets = BudgetService()
        grpc_server = budgets.server(at["budgets"])
        await grpc_server.start()
        stack.push_async_callback(grpc_server.stop, None)
        gateway = Gateway(f"http://127.0.0.1:{at['gateway']}", another_key(), lambda: grpc_server.stop(None), budgets)
        for name, double in (("issuer", _issuer(gateway.key)), ("llm", gateway.llm), ("callers", gateway.callers)):
            await stack.enter_async_context(double.serving(at[name]))
        told = {
            "PATH": os.environ["PATH"],
            "GATEWAY_DOMAIN": DOMAIN,
            "GATEWAY_PORT": str(at["gateway"]),
            "GATEWAY_ADMIN_PORT": str(at["admin"]),
            "GATEWAY_LLM": f"127.0.0.1:{at['llm']}",
            "GATEWAY_JWT_ISSUER": f"127.0.0.1:{at['issuer']}",
            "GATEWAY_BUDGETS": f"127.0.0.1:{at['budgets']}",
            "GATEWAY_BALANCE": f"127.0.0.1:{at['callers']}",
        }
        supervisor = Supervisor(lambda _, line: gateway.lines.append(line), gateway.lines.append)
        await stack.enter_async_context(supervisor)
        health = http_ok(f"{gateway.url}/healthz")
        await supervisor.start(Program("gateway", (sys.executable, "-m", "gateway"), told | environment, health))
        await gateway.forget()
        yield gateway


def _issuer(key: RSAPrivateKey) -> Upstream:
    published = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    issuer = Upstream()
    issuer.answers({"keys": [published | {"kid": KID, "use": "sig", "alg": "RS256"}]})
    return issuer
