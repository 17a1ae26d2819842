"""The whole system as programs: which ones there are, in which order they start, and what each one is told.

From right to left of the flow, so that each finds what it calls: the store, the issuer, the LLM, the budget service, the
gateway, and then one agent for each team.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from runner.config import Settings
from runner.health import Health, http_ok
from runner.ports import Ports
from runner.process import Program
from runner.supervisor import Supervisor
from runner.valkey import embedded_valkey
from service.teams import Team, read_teams

TOKEN_LIFE = 30 * 24 * 3600
"""Seconds. An agent reads its token when it starts, so a system that is left running needs tokens that last."""

_DEFAULT_PORTS = {"gateway": 8090, "gateway-admin": 8091, "valkey": 8085, "mock-llm": 8201, "jwt-issuer": 8202}
_DEFAULT_PORTS |= {"budgets": 8083, "budgets-http": 8084}
_FIRST_AGENT_PORT = 8101


@dataclass(frozen=True)
class Addresses:
    """Where the running system listens."""

    gateway: str
    gateway_admin: str
    mock_llm: str
    jwt_issuer: str
    budgets: str
    agents: Mapping[str, str]
    """Of each agent, by its name."""

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> "Addresses":
        """Raises OSError where there is none."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))


class System:
    """One system on one state folder. Everything it keeps is in there: the key, the tokens and the counters.

    Raises TeamsError for a wrong team list, and NoPortError where ports have run out.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        ports: Ports,
        *,
        default_ports: bool = True,
        domain: str = "agentic-budgets",
        seed: int | None = None,
    ) -> None:
        self.teams: tuple[Team, ...] = read_teams(settings.teams)
        self._folder = folder
        self._settings = settings
        self._domain = domain
        self._seed = seed
        preferred = _DEFAULT_PORTS | {agent_name(team): _FIRST_AGENT_PORT + n for n, team in enumerate(self.teams)}
        self._ports = {name: ports.take(port if default_ports else None) for name, port in preferred.items()}
        self.moved = {name: port for name, port in self._ports.items() if default_ports and port != preferred[name]}
        """The programs whose usual port is taken, with the port that each has in its place."""
        self.addresses = Addresses(
            gateway=self._url("gateway"),
            gateway_admin=self._url("gateway-admin"),
            mock_llm=self._url("mock-llm"),
            jwt_issuer=self._url("jwt-issuer"),
            budgets=self._url("budgets-http"),
            agents={agent_name(team): self._url(agent_name(team)) for team in self.teams},
        )

    async def start(self, supervisor: Supervisor) -> None:
        """Returns when all of it is healthy; raises what `Supervisor.start` raises."""
        await self.start_services(supervisor)
        for team in self.teams:
            await supervisor.start(self._agent(team))

    async def start_services(self, supervisor: Supervisor) -> None:
        """All but the agents."""
        store = self._settings.budgets_store.get_secret_value() if self._settings.budgets_store else None
        if store is None:
            valkey = embedded_valkey(self._folder / "valkey", self._ports["valkey"])
            await supervisor.start(valkey.program)
            store = valkey.url
        await supervisor.start(self._jwt_issuer())
        await supervisor.start(self._mock_llm())
        await supervisor.start(self._budgets(store))
        await supervisor.start(self._gateway())

    def token(self, subject: str) -> str:
        """The token that the issuer has written for a team or a user; it is there once the issuer is healthy."""
        return (self._folder / "issuer" / "tokens" / f"{subject}.jwt").read_text(encoding="ascii").strip()

    def _jwt_issuer(self) -> Program:
        return self._service(
            "jwt-issuer",
            "jwt_issuer",
            http_ok(f"{self.addresses.jwt_issuer}/healthz"),
            JWT_ISSUER_PORT=self._port("jwt-issuer"),
            JWT_ISSUER_STATE=os.fspath(self._folder / "issuer"),
            JWT_ISSUER_TEAMS=os.fspath(self._settings.teams),
            JWT_ISSUER_TTL=str(TOKEN_LIFE),
        )

    def _mock_llm(self) -> Program:
        seed = {} if self._seed is None else {"MOCK_LLM_SEED": str(self._seed)}
        return self._service(
            "mock-llm",
            "mock_llm",
            http_ok(f"{self.addresses.mock_llm}/healthz"),
            MOCK_LLM_PORT=self._port("mock-llm"),
            **seed,
        )

    def _budgets(self, store: str) -> Program:
        return self._service(
            "budgets",
            "budgets",
            http_ok(f"{self.addresses.budgets}/readyz"),
            BUDGETS_STORE=store,
            BUDGETS_DOMAIN=self._domain,
            BUDGETS_POLICY=os.fspath(self._settings.policy),
            BUDGETS_GRPC_PORT=self._port("budgets"),
            BUDGETS_HTTP_PORT=self._port("budgets-http"),
        )

    def _gateway(self) -> Program:
        envoy = {"ENVOY_BIN": os.fspath(self._settings.envoy_bin)} if self._settings.envoy_bin else {}
        return self._service(
            "gateway",
            "gateway",
            http_ok(f"{self.addresses.gateway}/healthz"),
            GATEWAY_DOMAIN=self._domain,
            GATEWAY_POLICY=os.fspath(self._settings.policy),
            GATEWAY_PORT=self._port("gateway"),
            GATEWAY_ADMIN_PORT=self._port("gateway-admin"),
            GATEWAY_LLM=f"127.0.0.1:{self._port('mock-llm')}",
            GATEWAY_JWT_ISSUER=f"127.0.0.1:{self._port('jwt-issuer')}",
            GATEWAY_BUDGETS=f"127.0.0.1:{self._port('budgets')}",
            **envoy,
        )

    def _agent(self, team: Team) -> Program:
        name = agent_name(team)
        return self._service(
            name,
            "agents",
            http_ok(f"{self.addresses.agents[name]}/health"),
            LLM_JWT=self.token(team.name),
            LLM_URL=f"{self.addresses.gateway}/v1/chat/completions",
            KAGENT_NAME=name,
            AGENT_DESCRIPTION=team.description,
            PORT=self._port(name),
        )

    def _service(self, name: str, package: str, health: Health, **environment: str) -> Program:
        inherited = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONUNBUFFERED": "1"}
        return Program(name, (sys.executable, "-m", package), inherited | environment, health)

    def _port(self, name: str) -> str:
        return str(self._ports[name])

    def _url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._ports[name]}"


def agent_name(team: Team) -> str:
    return f"{team.name}-agent"
