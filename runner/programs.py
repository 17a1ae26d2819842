"""What each program of the system is told: its environment, and where it says that it is up."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.addresses import Addresses
from runner.config import Settings
from runner.health import Health, http_ok
from runner.process import Program
from service.teams import Team

_OF_AGENTS = (
    "LLM_MODEL",
    "LLM_STREAM",
    "LLM_TIMEOUT",
    "LLM_CHEAPER_MODEL",
    "SYSTEM_PROMPT",
    "ON_BUDGET_EXHAUSTED",
    "BUDGET_LONGEST_WAIT",
    "BUDGET_LADDER",
    "PEER_TIMEOUT",
    "MAX_HOPS",
    "KEEP_TASKS",
    "KEEP_DAYS",
    "LOG_LEVEL",
)
"""The variables that agents take from the user; an agent's variables have no prefix of their own."""


_OF_ALL = ("LOG_FORMAT",)
_OF_TOKENS = ("ISSUER", "AUDIENCE")
"""What the issuer says in every token, and the gateway checks."""


@dataclass(frozen=True)
class Programs:
    folder: Path
    settings: Settings
    addresses: Addresses
    ports: Mapping[str, int]
    domain: str
    seed: int | None

    @property
    def teams(self) -> Path:
        """The team list as it was at the start: an edit meanwhile must not keep the issuer from coming back."""
        return self.folder / "teams.yaml"

    @property
    def policy_in_force(self) -> Path:
        """A folder: the last good policy, which the budget service keeps there and goes on from after a bad edit."""
        return self.folder / "policy-in-force"

    def token_file(self, subject: str) -> Path:
        """Of a team or a user; it is there once the issuer is healthy."""
        return self.folder / "issuer" / "tokens" / f"{subject}.jwt"

    def jwt_issuer(self) -> Program:
        return self._service(
            "jwt-issuer",
            "jwt_issuer",
            http_ok(f"{self.addresses.jwt_issuer}/healthz"),
            JWT_ISSUER_PORT=self._port("jwt-issuer"),
            JWT_ISSUER_STATE=os.fspath(self.folder / "issuer"),
            JWT_ISSUER_TEAMS=os.fspath(self.teams),
        )

    def mock_llm(self) -> Program:
        seed = {} if self.seed is None else {"MOCK_LLM_SEED": str(self.seed)}
        return self._service(
            "mock-llm",
            "mock_llm",
            http_ok(f"{self.addresses.mock_llm}/healthz"),
            MOCK_LLM_PORT=self._port("mock-llm"),
            **seed,
        )

    def budgets(self, store: str) -> Program:
        return self._service(
            "budgets",
            "budgets",
            http_ok(f"{self.addresses.budgets}/readyz"),
            BUDGETS_STORE=store,
            BUDGETS_DOMAIN=self.domain,
            BUDGETS_POLICY=os.fspath(self.settings.policy),
            BUDGETS_IN_FORCE=os.fspath(self.policy_in_force),
            BUDGETS_GRPC_PORT=self._port("budgets"),
            BUDGETS_HTTP_PORT=self._port("budgets-http"),
            BUDGETS_BALANCE_PORT=self._port("budgets-callers"),
        )

    def gateway(self) -> Program:
        envoy = {"ENVOY_BIN": os.fspath(self.settings.envoy_bin)} if self.settings.envoy_bin else {}
        issuer = {
            f"GATEWAY_{name}": os.environ[f"JWT_ISSUER_{name}"] for name in _OF_TOKENS if os.environ.get(f"JWT_ISSUER_{name}")
        }
        return self._service(
            "gateway",
            "gateway",
            http_ok(f"{self.addresses.gateway}/healthz"),
            GATEWAY_DOMAIN=self.domain,
            GATEWAY_PORT=self._port("gateway"),
            GATEWAY_ADMIN_PORT=self._port("gateway-admin"),
            GATEWAY_LLM=f"127.0.0.1:{self._port('mock-llm')}",
            GATEWAY_JWT_ISSUER=f"127.0.0.1:{self._port('jwt-issuer')}",
            GATEWAY_BUDGETS=f"127.0.0.1:{self._port('budgets')}",
            GATEWAY_BALANCE=f"127.0.0.1:{self._port('budgets-callers')}",
            **envoy,
            **issuer,
        )

    def agent(self, team: Team) -> Program:
        name = agent_name(team)
        return self._service(
            name,
            "agents",
            http_ok(f"{self.addresses.agents[name]}/health"),
            # The issuer renews it, and the agent reads it again.
            LLM_JWT_FILE=os.fspath(self.token_file(team.name)),
            LLM_URL=f"{self.addresses.gateway}/v1/chat/completions",
            KAGENT_NAME=name,
            AGENT_DESCRIPTION=team.description,
            AGENT_STORE=f"sqlite:///{self.folder.absolute() / 'agents' / name}.sqlite3",
            PEERS=",".join(f"{peer}={url}" for peer, url in self.addresses.agents.items() if peer != name),
            PORT=self._port(name),
        )

    def _service(self, name: str, package: str, health: Health, **environment: str) -> Program:
        inherited = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONUNBUFFERED": "1"} | _of_the_user(package)
        return Program(name, (sys.executable, "-m", package), inherited | environment, health)

    def _port(self, name: str) -> str:
        return str(self.ports[name])


def agent_name(team: Team) -> str:
    return f"{team.name}-agent"


def _of_the_user(package: str) -> dict[str, str]:
    """The variables that the program documents, as the user has set them. An empty one counts as not set."""
    prefix = f"{package.upper()}_"
    return {
        name: value
        for name, value in os.environ.items()
        if value and (name in _OF_ALL or (name in _OF_AGENTS if package == "agents" else name.startswith(prefix)))
    }
