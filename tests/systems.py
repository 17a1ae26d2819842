"""Real systems for tests: on free ports, in a folder of their own, stopped at the end."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from runner.books import Account, Books
from runner.config import Settings
from runner.ports import Ports
from runner.supervisor import Supervisor
from runner.system import System

# A year's window does not end while the tests run, as an hour's would.
POLICY_HEAD = """\
apiVersion: ratelimit.solo.io/v1alpha1
kind: RateLimitConfig
metadata: {name: test-budget}
spec:
  raw:
    rateLimits:
      - actions:
          - genericKey: {descriptorKey: window, descriptorValue: month}
          - requestHeaders: {descriptorKey: team, headerName: X-Team-ID}
        type: TOKEN
      - actions:
          - genericKey: {descriptorKey: window, descriptorValue: year}
          - requestHeaders: {descriptorKey: team, headerName: X-Team-ID}
        type: TOKEN
    descriptors:
"""


def policy(**limits: tuple[int, int]) -> str:
    """A policy with a limit a month and a limit a year for each team."""
    text = POLICY_HEAD
    for column, window in enumerate(("month", "year")):
        text += f"      - key: window\n        value: {window}\n        descriptors:\n"
        for team, limit in limits.items():
            rate = f"{{requestsPerUnit: {limit[column]}, unit: {window.upper()}}}"
            text += f"          - {{key: team, value: {team}, rateLimit: {rate}}}\n"
    return text


def team_list(*names: str) -> str:
    return "teams:\n" + "".join(f"  - {{name: {name}, description: A team., users: [{name}-user]}}\n" for name in names)


@dataclass
class Running:
    """A running system, and all that was written and said in it."""

    folder: Path
    """Of its state."""
    system: System
    supervisor: Supervisor
    policy_file: Path
    teams_file: Path
    books: Books
    said: list[str] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)

    def chat(self, http: httpx.AsyncClient, subject: str, **request: Any) -> Any:
        """A call to the gateway with a subject's own token; awaits to the answer."""
        return self.call(http, self.system.token(subject), {"messages": [{"role": "user", "content": "Hello."}]} | request)

    def call(self, http: httpx.AsyncClient, token: str, body: Any, **headers: str) -> Any:
        content = body if isinstance(body, (bytes, str)) else json.dumps(body)
        sent = {"authorization": f"Bearer {token}", "content-type": "application/json"} | headers
        return http.post(f"{self.system.addresses.gateway}/v1/chat/completions", content=content, headers=sent)

    async def forwarded(self, http: httpx.AsyncClient) -> int:
        return await forwarded(http, self.system.addresses.gateway_admin)

    async def account(self, team: str, window: str = "month") -> Account:
        accounts = await self.books.settled()
        return next(each for each in accounts if (each.team, each.window) == (team, window))


async def forwarded(http: httpx.AsyncClient, gateway_admin: str) -> int:
    """How many requests a gateway has sent to the LLM, by Envoy's own count."""
    stats = await http.get(f"{gateway_admin}/stats", params={"filter": "^cluster.llm.upstream_rq_total$"})
    return int(stats.text.rsplit(":", 1)[1])


@asynccontextmanager
async def running(
    folder: Path, *, teams: str, budgets: str, agents: bool = False, domain: str | None = None, seed: int = 1
) -> AsyncIterator[Running]:
    """`budgets` is the text of the one policy document there is at first."""
    teams_file = folder / "teams.yaml"
    teams_file.write_text(teams, encoding="utf-8")
    policy_file = folder / "policy" / "budgets.yaml"
    policy_file.parent.mkdir()
    policy_file.write_text(budgets, encoding="utf-8")
    settings = Settings.model_validate({"TEAMS": teams_file, "BUDGETS_POLICY": policy_file.parent})
    said: list[str] = []
    lines: list[tuple[str, str]] = []
    state = folder / "state"
    with Ports() as ports:
        system = System(state, settings, ports, default_ports=False, domain=domain, seed=seed)
        async with (
            Supervisor(lambda name, line: lines.append((name, line)), said.append) as supervisor,
            Books(system.addresses.budgets, system.addresses.mock_llm) as books,
        ):
            await (system.start(supervisor) if agents else system.start_services(supervisor))
            yield Running(state, system, supervisor, policy_file, teams_file, books, said, lines)
