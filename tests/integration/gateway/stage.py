"""A whole system of which a test chooses the policy, and what the LLM answers."""

import tempfile
from asyncio import Event, Task, TaskGroup
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from runner.config import PROJECT
from runner.health import http_ok
from runner.ports import Ports
from tests.integration.gateway.tokens import issuers_key, token
from tests.integration.gateway.upstream import Upstream
from tests.systems import Running, forwarded, policy, running, team_list
from tests.waiting import until

DOMAIN = "agentgateway"
"""The domain of the examples' plain ratelimit files."""

MESSAGES = [{"role": "user", "content": "Hello."}]


def shipped(folder: str) -> dict[str, str]:
    """A policy of the project, by file name. Its calendar days are years, which do not end while a test runs."""
    files = sorted((PROJECT / "policy" / folder).iterdir())
    return {file.name: file.read_text(encoding="utf-8").replace("unit: day", "unit: year") for file in files}


@dataclass
class Stage:
    system: Running
    http: httpx.AsyncClient
    llm: Upstream
    llm_port: int
    gateway: str
    """The address of a gateway in front of `llm`; the system's own stands in front of the mock LLM."""
    gateway_admin: str
    kid: str
    _listening: AsyncExitStack = field(default_factory=AsyncExitStack)

    def token(self, **claims: Any) -> str:
        """Signed by the issuer; of alice of dba, where the claims do not say otherwise."""
        return token(issuers_key(self.system.folder), self.kid, **({"sub": "alice", "team": "dba"} | claims))

    async def call(self, credential: str, headers: Mapping[str, str] | None = None, **body: Any) -> httpx.Response:
        sent = {"authorization": f"Bearer {credential}"} | dict(headers or {})
        return await self.http.post(f"{self.gateway}/v1/chat/completions", json={"messages": MESSAGES} | body, headers=sent)

    async def spend(self, credential: str, prompt: int, completion: int, **body: Any) -> httpx.Response:
        """A call whose answer claims to have used so many tokens, once it has been charged."""
        self.llm.answers(answer(prompt, completion))
        answered = await self.call(credential, **body)
        await self.settled()
        return answered

    async def own_budgets(self, credential: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        sent = {"authorization": f"Bearer {credential}"} | dict(headers or {})
        return await self.http.get(f"{self.gateway}/v1/budget", headers=sent)

    async def budgets(self) -> dict[str, dict[str, Any]]:
        """Every budget by its id, as an operator sees it."""
        answered = await self.http.get(f"{self.system.system.addresses.budgets}/v1/budgets")
        return {budget["id"]: budget for budget in answered.json()["budgets"]}

    async def settled(self) -> dict[str, dict[str, Any]]:
        """Every budget, once no call is under way any more."""

        async def is_settled() -> bool:
            return all(budget["reserved"] in (0, "0") for budget in (await self.budgets()).values())

        await until(is_settled, "the charges of all calls")
        return await self.budgets()

    async def used(self, budget: str) -> int | str:
        used: int | str = (await self.settled())[budget]["used"]
        return used

    async def forwarded(self) -> int:
        return await forwarded(self.http, self.gateway_admin)

    def written(self, *, since: int = 0) -> list[str]:
        """What the budget service has written, from a position in `system.lines` on."""
        return [line for name, line in self.system.lines[since:] if name == "budgets"]

    async def logged(self, *parts: str, since: int = 0) -> str:
        """The first line of the budget service that holds all of these."""

        def lines() -> list[str]:
            return [line for line in self.written(since=since) if all(part in line for part in parts)]

        await until(lambda: bool(lines()), f"a line of the budget service with {parts}")
        return lines()[0]

    async def take_up(self, documents: Mapping[str, str]) -> None:
        """Puts a policy in force, all at once as Kubernetes does with a ConfigMap, and empties its counters."""
        await self.edit(documents)
        self.llm.answers(answer(10, 20))
        self.llm.heard.clear()
        for budget in await self.settled():
            reset = await self.http.post(f"{self.system.system.addresses.budgets}/v1/budgets/reset", json={"budget": budget})
            reset.raise_for_status()

    async def edit(self, documents: Mapping[str, str]) -> None:
        """Puts a policy in force, and leaves the counters."""
        folder = self.system.policy_file.parent
        version = Path(tempfile.mkdtemp(dir=folder.parent))
        for name, text in documents.items():
            (version / name).write_text(text, encoding="utf-8")
        if not folder.is_symlink():
            folder.rename(version.with_suffix(".before"))
        link = folder.with_name("link")
        link.symlink_to(version)
        link.replace(folder)
        await until(lambda: self._in_force() == dict(documents), "the policy to be taken up")

    def _in_force(self) -> dict[str, str]:
        """What the budget service keeps for a restart: the documents that it goes by."""
        with suppress(OSError):
            return {file.name: file.read_text() for file in self.system.system.programs.policy_in_force.iterdir()}
        return {}

    async def heard(self, calls: int) -> None:
        """Waits until the LLM has heard so many since the policy was taken up."""
        await until(lambda: len(self.llm.heard) >= calls, f"{calls} calls to reach the LLM")

    @asynccontextmanager
    async def llm_waiting(self) -> AsyncIterator[Callable[[Coroutine[Any, Any, httpx.Response]], Task[httpx.Response]]]:
        """The LLM hears, and answers nobody before the block has ended. It yields what starts a call in the background."""
        self.llm.held = Event()
        async with TaskGroup() as calls:
            try:
                yield calls.create_task
            finally:
                self.llm.held.set()
                self.llm.held = None

    @asynccontextmanager
    async def llm_away(self) -> AsyncIterator[None]:
        """Nobody listens where the gateway looks for the LLM."""
        await self.stop_llm()
        try:
            yield
        finally:
            await self.start_llm()

    async def start_llm(self) -> None:
        await self._listening.enter_async_context(self.llm.serving(self.llm_port))

    async def stop_llm(self) -> None:
        await self._listening.aclose()


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        at_first = policy(nobody=(1, 1))
        system = await stack.enter_async_context(running(folder, teams=team_list("dba"), budgets=at_first, domain=DOMAIN))
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=30))
        ports = stack.enter_context(Ports())
        llm_port, port, admin_port = ports.take(), ports.take(), ports.take()
        keys = await http.get(f"{system.system.addresses.jwt_issuer}/.well-known/jwks.json")
        kid = keys.json()["keys"][0]["kid"]
        url, admin = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin_port}"
        stage = Stage(system, http, Upstream(), llm_port, url, admin, kid)
        stack.push_async_callback(stage.stop_llm)
        await stage.start_llm()
        first = system.system.programs.gateway()
        told = {"GATEWAY_PORT": str(port), "GATEWAY_ADMIN_PORT": str(admin_port), "GATEWAY_LLM": f"127.0.0.1:{llm_port}"}
        gateway = replace(first, name="staged", environment={**first.environment, **told}, health=http_ok(f"{url}/healthz"))
        await system.supervisor.start(gateway)
        yield stage


def answer(prompt: int, completion: int) -> dict[str, Any]:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {"model": "m", "choices": [], "usage": usage}
