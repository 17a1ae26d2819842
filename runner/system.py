"""The whole system as programs: which ones there are, where they listen, and in which order they start.

From right to left of the flow, so that each finds what it calls: the store, the issuer, the LLM, the budget service, the
gateway, and then one agent for each team.
"""

import shutil
from contextlib import suppress
from pathlib import Path

from runner.addresses import Addresses
from runner.config import Settings
from runner.errors import StartError
from runner.policy_check import refuse_wrong_policy
from runner.ports import Ports
from runner.programs import Programs, agent_name
from runner.supervisor import Supervisor
from runner.valkey import embedded_valkey
from service.teams import Team, read_teams

_DEFAULT_PORTS = {"gateway": 8090, "gateway-admin": 8091, "valkey": 8085, "mock-llm": 8201, "jwt-issuer": 8202}
_DEFAULT_PORTS |= {"budgets": 8083, "budgets-http": 8084, "budgets-callers": 8086}
_FIRST_AGENT_PORT = 8101


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
        domain: str | None = None,
        seed: int | None = None,
    ) -> None:
        self.teams: tuple[Team, ...] = read_teams(settings.teams)
        self._folder = folder
        self._settings = settings
        preferred = _DEFAULT_PORTS | {agent_name(team): _FIRST_AGENT_PORT + n for n, team in enumerate(self.teams)}
        taken = {name: ports.take(port if default_ports else None) for name, port in preferred.items()}
        self.moved = {name: port for name, port in taken.items() if default_ports and port != preferred[name]}
        """The programs whose usual port is taken, with the port that each has in its place."""
        self.addresses = Addresses(
            gateway=_url(taken["gateway"]),
            gateway_admin=_url(taken["gateway-admin"]),
            mock_llm=_url(taken["mock-llm"]),
            jwt_issuer=_url(taken["jwt-issuer"]),
            budgets=_url(taken["budgets-http"]),
            agents={agent_name(team): _url(taken[agent_name(team)]) for team in self.teams},
        )
        self.programs = Programs(folder, settings, self.addresses, taken, domain or settings.domain, seed)

    async def start(self, supervisor: Supervisor) -> None:
        """Returns when all of it is healthy; raises what `Supervisor.start` raises, and WrongPolicyError before it runs any."""
        await self.start_services(supervisor)
        for team in self.teams:
            await supervisor.start(self.programs.agent(team))

    async def start_services(self, supervisor: Supervisor) -> None:
        """All but the agents."""
        await refuse_wrong_policy(self._settings.policy, self.programs.domain)
        self._folder.mkdir(parents=True, exist_ok=True)
        with suppress(shutil.SameFileError):
            shutil.copyfile(self._settings.teams, self.programs.teams)
        # It serves restarts only: a system that is started anew has to take the policy as it is, or refuse it.
        shutil.rmtree(self.programs.policy_in_force, ignore_errors=True)
        store = self._settings.budgets_store
        url = store.get_secret_value() if store else await self._start_valkey(supervisor)
        await supervisor.start(self.programs.jwt_issuer())
        await supervisor.start(self.programs.mock_llm())
        await supervisor.start(self.programs.budgets(url))
        await supervisor.start(self.programs.gateway())

    def token_file(self, subject: str) -> Path:
        """Of a team or a user; it is there once the issuer is healthy."""
        return self.programs.token_file(subject)

    def token(self, subject: str) -> str:
        return self.token_file(subject).read_text(encoding="ascii").strip()

    async def _start_valkey(self, supervisor: Supervisor) -> str:
        """The URL of the store, with its password."""
        data = self._folder / "valkey"
        valkey = embedded_valkey(data, self.programs.ports["valkey"])
        try:
            await supervisor.start(valkey.program)
        except StartError as error:
            remedy = f"Its data is in {data}; move it away to begin with empty counters"
            raise StartError(f"{error.what}. {remedy}", error.last_words) from error
        return valkey.url


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"
