"""`make bench`: what budgets cost, side by side in one run. Raises SystemExit where a target is missed."""

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import envoys
from benchmarks.load import Rate, find_wrk, grpc_load, http_load
from benchmarks.subjects import Growth, measure
from gateway.__main__ import OPTIONS
from gateway.envoy import find_envoy
from runner.config import Settings
from runner.health import Health
from runner.ports import Ports
from runner.process import Program
from runner.supervisor import Supervisor
from runner.system import System
from runner.valkey import embedded_valkey
from service.environment import read_environment

ROUNDS = 5
SECONDS = 2.0
SHARE_OF_FLOOR = 0.7
"""Of the requests through Envoy with a service that does nothing, how many the budget service must reach."""
ADDED_MS = 0.5
"""What a request may take longer at one connection than with a service that does nothing."""

POLICY = """\
apiVersion: enterpriseagentgateway.solo.io/v1alpha1
kind: EnterpriseAgentgatewayBudget
metadata: {name: bench, namespace: bench}
spec:
  budgets:
    - name: team-tokens
      subject: {team: "*"}
      limit: {unit: Tokens, amount: 4294967295}
      window: {unit: Day}
      onBudgetExceeded: Block
    - name: team-dollars
      subject: {team: "*"}
      limit: {unit: USD, amount: 9000000}
      window: {unit: Month}
      onBudgetExceeded: Block
"""

CALL = '{"model": "gpt-4o", "max_tokens": 700, "messages": [{"role": "user", "content": "Hello."}]}'

Measured = dict[str, list[Rate]]


async def main() -> None:
    find_wrk()
    console = Console()
    with tempfile.TemporaryDirectory() as folder, Ports() as ports:
        bench = Bench(Path(folder), ports)
        async with Supervisor(lambda *_: None, console.print) as supervisor:
            await bench.start(supervisor)
            rates = {connections: await bench.http(connections) for connections in (1, 32)}
            pairs = await bench.pairs()
            growth = [await measure(bench.valkey, subjects) for subjects in (10, 1_000, 100_000)]
    for connections, measured in rates.items():
        console.print(_table(f"\nThrough Envoy, {connections} connection{'s' * (connections > 1)}", measured))
    console.print(_table("\nThe service alone, a check and its charge, 32 at once", pairs))
    console.print(_growth(growth))
    _judge(console, rates)


class Bench:
    """Every party of the comparison, each on ports of its own."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self._folder = folder
        self._ports = ports
        self._urls: dict[str, str] = {}

    async def start(self, supervisor: Supervisor) -> None:
        policy = self._folder / "policy.yaml"
        policy.write_text(POLICY, encoding="utf-8")
        settings = Settings.model_validate({"BUDGETS_POLICY": policy})
        os.environ["BUDGETS_LOG_LEVEL"] = "WARNING"  # nothing is to be written while time is taken
        programs = System(self._folder, settings, self._ports, default_ports=False).programs
        shutil.copyfile(settings.teams, programs.teams)
        valkey = embedded_valkey(self._folder / "valkey", programs.ports["valkey"])
        self.valkey = valkey.url
        self._llm, self._noop = self._ports.take(), self._ports.take()
        self._issuer, self._budgets = programs.ports["jwt-issuer"], programs.ports["budgets"]
        noop = (sys.executable, "-m", "benchmarks.noop", str(self._noop))
        await supervisor.start(valkey.program)
        await supervisor.start(programs.jwt_issuer())
        await supervisor.start(programs.budgets(valkey.url))
        await supervisor.start(Program("noop", noop, {"PATH": os.defpath}, _listens(self._noop)))
        self.token = programs.token_file("dba").read_text(encoding="ascii").strip()
        await self._envoy(supervisor, "instant LLM", envoys.instant_llm, self._llm)
        for name, render in self._parties().items():
            port = self._ports.take()
            self._urls[name] = f"http://127.0.0.1:{port}"
            await self._envoy(supervisor, name, render, port)

    def _parties(self) -> dict[str, Callable[[int, int], str]]:
        def beside(service: int) -> dict[str, int]:
            return {"llm": self._llm, "jwt_issuer": self._issuer, "budgets": service}

        return {
            "bare proxy": lambda port, admin: envoys.bare_proxy(self._llm, port, admin),
            "JWT only": lambda port, admin: envoys.gateway(beside(self._noop), port, admin, envoys.BUDGETS),
            "service that does nothing": lambda port, admin: envoys.gateway(beside(self._noop), port, admin),
            "budgets": lambda port, admin: envoys.gateway(beside(self._budgets), port, admin),
        }

    async def http(self, connections: int) -> Measured:
        async def load(name: str) -> Rate:
            headers = {"content-type": "application/json", "authorization": f"Bearer {self.token}"}
            return await http_load(f"{self._urls[name]}/v1/chat/completions", headers, CALL, connections, SECONDS)

        return await _in_turn(list(self._urls), load)

    async def pairs(self) -> Measured:
        ports = {"service that does nothing": self._noop, "budgets": self._budgets}
        return await _in_turn(list(ports), lambda name: grpc_load(ports[name], 32, SECONDS))

    async def _envoy(self, supervisor: Supervisor, name: str, render: Callable[[int, int], str], port: int) -> None:
        configuration = render(port, self._ports.take())
        words = (str(find_envoy(read_environment(Settings).envoy_bin)), "--config-yaml", configuration, *OPTIONS)
        await supervisor.start(Program(f"Envoy: {name}", words, {"PATH": os.defpath}, _listens(port)))


def _listens(port: int) -> Health:
    async def check() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    return Health(check, f"port {port} to be open")


async def _in_turn(names: list[str], load: Callable[[str], Awaitable[Rate]]) -> Measured:
    """Round by round, so that a machine that is slow for a while is slow for all."""
    measured: Measured = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name in names:
            measured[name].append(await load(name))
    return measured


def _table(title: str, measured: Measured) -> Table:
    table = Table(title=title)
    floor = "service that does nothing"
    for heading in ("", "requests/s", "of the floor", "p50 ms", "p99 ms", "not 200"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, rates in measured.items():
        share = _median([each.per_second / of.per_second for each, of in zip(rates, measured[floor], strict=True)])
        table.add_row(
            name,
            f"{_median([each.per_second for each in rates]):,.0f}",
            f"{share:.0%}",
            f"{_median([each.p50_ms for each in rates]):.2f}",
            f"{_median([each.p99_ms for each in rates]):.2f}",
            f"{sum(each.bad for each in rates):,}",
        )
    return table


def _growth(growth: list[Growth]) -> Table:
    table = Table(title="\nAs subjects grow, with two budgets for each")
    for heading in ("subjects", "bytes each", "check ms", "charge ms"):
        table.add_column(heading, justify="right")
    for each in growth:
        table.add_row(f"{each.subjects:,}", f"{each.bytes_each:,.0f}", f"{each.check_ms:.3f}", f"{each.charge_ms:.3f}")
    return table


def _judge(console: Console, rates: dict[int, Measured]) -> None:
    def per_round(connections: int, name: str) -> list[Rate]:
        return rates[connections][name]

    pairs = zip(per_round(32, "budgets"), per_round(32, "service that does nothing"), strict=True)
    share = _median([ours.per_second / floor.per_second for ours, floor in pairs])
    pairs = zip(per_round(1, "budgets"), per_round(1, "service that does nothing"), strict=True)
    added = _median([ours.p50_ms - floor.p50_ms for ours, floor in pairs])
    console.print(f"\nOf the floor at 32 connections: {share:.0%} (target: {SHARE_OF_FLOOR:.0%} at least)")
    console.print(f"Added at one connection: {added:.2f} ms (target: {ADDED_MS} ms at most)")
    if share < SHARE_OF_FLOOR or added > ADDED_MS:
        raise SystemExit("A target is missed.")


def _median(figures: list[float]) -> float:
    return statistics.median(figures)


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures for some minutes what budgets cost: Envoy with the budget service beside Envoy with a service "
        "that does nothing, and how the service grows with its subjects. Needs wrk; ends with 1 where a target is missed.",
    ).parse_args()
    asyncio.run(main())
