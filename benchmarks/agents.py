"""What the agent costs, beside an agent of the SDK's that does nothing. Raises SystemExit where a target is missed.

`python -m benchmarks.agents`
"""

import argparse
import asyncio
import math
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jwt
from rich.console import Console
from rich.table import Table

from benchmarks import envoys
from benchmarks.footprint import Footprint, footprint, import_seconds
from benchmarks.load import Rate, find_wrk, http_load
from gateway.__main__ import OPTIONS
from gateway.envoy import find_envoy
from runner.config import Settings
from runner.health import http_ok
from runner.ports import Ports
from runner.process import Program
from runner.supervisor import Supervisor
from service.environment import read_environment

ROUNDS = 3
SECONDS = 3.0
TURNS = 10_000
SHARE_OF_FLOOR = 0.7
READY_SECONDS = 1.5

FLOOR = "a2a-sdk echo, in memory"
DURABLE_FLOOR = "a2a-sdk echo, its SQLite store"
JSON, STREAM = "our agent, JSON", "our agent, streaming"

TURN = (
    '{"jsonrpc":"2.0","id":"1","method":"SendMessage","params":{"message":'
    '{"messageId":"m","role":"ROLE_USER","parts":[{"text":"Why is it slow?"}]}}}'
)
HEADERS = {"content-type": "application/json", "a2a-version": "1.0"}


@dataclass
class Party:
    """`cpu_ms` is what one turn took of a core."""

    name: str
    url: str
    rates: dict[int, list[Rate]] = field(default_factory=dict)
    cpu_ms: dict[int, list[float]] = field(default_factory=dict)
    at_rest: Footprint | None = None
    after: Footprint | None = None
    ready_seconds: float = 0


async def main() -> None:
    find_wrk()
    console = Console()
    with tempfile.TemporaryDirectory() as folder, Ports() as ports:
        async with Supervisor(lambda *_: None, console.print) as supervisor:
            parties = await _start(supervisor, Path(folder), ports)
            for connections in (1, 16):
                await _measure(parties, connections)
            for party in parties:
                await _turns(party)
    for connections in (1, 16):
        console.print(_table(parties, connections))
    console.print(_sizes(parties))
    imports = {name: await import_seconds(module) for name, module in (("echo", "benchmarks.echo"), ("ours", "agents.app"))}
    console.print("\nSeconds to import: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in imports.items()))
    _judge(console, parties)


async def _start(supervisor: Supervisor, folder: Path, ports: Ports) -> list[Party]:
    llms = {kind: await _llm(supervisor, ports, kind) for kind in (envoys.ANSWER, envoys.STREAM)}
    token = jwt.encode({"team": "dba"}, "a key of no importance, 32 bytes long", algorithm="HS256")
    ours = {"LLM_JWT": token, "LOG_LEVEL": "WARNING"}
    commands: dict[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
        FLOOR: (("-m", "benchmarks.echo", "{port}"), {"OTEL_INSTRUMENTATION_A2A_SDK_ENABLED": "false"}),
        DURABLE_FLOOR: (
            ("-m", "benchmarks.echo", "{port}", str(folder / "echo.sqlite3")),
            {"OTEL_INSTRUMENTATION_A2A_SDK_ENABLED": "false"},
        ),
        JSON: (
            ("-m", "agents"),
            ours | {"LLM_URL": llms[envoys.ANSWER], "LLM_STREAM": "false", "AGENT_STORE": f"sqlite:///{folder}/json.sqlite3"},
        ),
        STREAM: (
            ("-m", "agents"),
            ours | {"LLM_URL": llms[envoys.STREAM], "AGENT_STORE": f"sqlite:///{folder}/stream.sqlite3"},
        ),
    }
    parties = []
    for name, (words, environment) in commands.items():
        port = ports.take()
        party = Party(name, f"http://127.0.0.1:{port}")
        command = (sys.executable, *(word.format(port=port) for word in words))
        told = {"PATH": os.defpath, "PORT": str(port), **environment}
        begun = asyncio.get_running_loop().time()
        await supervisor.start(Program(name, command, told, http_ok(f"{party.url}/.well-known/agent-card.json")))
        party.ready_seconds = asyncio.get_running_loop().time() - begun
        party.at_rest = footprint(port)
        parties.append(party)
    return parties


async def _llm(supervisor: Supervisor, ports: Ports, answer: str) -> str:
    port = ports.take()
    words = (
        str(find_envoy(read_environment(Settings).envoy_bin)),
        "--config-yaml",
        envoys.instant_llm(port, ports.take(), answer),
        *OPTIONS,
    )
    health = http_ok(f"http://127.0.0.1:{port}/v1/chat/completions")
    await supervisor.start(Program(f"Envoy {port}", words, {"PATH": os.defpath}, health))
    return f"http://127.0.0.1:{port}/v1/chat/completions"


async def _measure(parties: list[Party], connections: int) -> None:
    """Round by round, so that a machine that is slow for a while is slow for all."""
    for _ in range(ROUNDS):
        for party in parties:
            rate, cpu_ms = await _load(party, connections, SECONDS)
            party.rates.setdefault(connections, []).append(rate)
            party.cpu_ms.setdefault(connections, []).append(cpu_ms)


async def _load(party: Party, connections: int, seconds: float) -> tuple[Rate, float]:
    port = int(party.url.rpartition(":")[2])
    before = footprint(port)
    rate = await http_load(f"{party.url}/", HEADERS, TURN, connections, seconds)
    turns = max(1.0, rate.per_second * seconds)
    return rate, (footprint(port).cpu_seconds - before.cpu_seconds) * 1000 / turns


async def _turns(party: Party) -> None:
    """Until the process has had `TURNS` of them, at least."""
    had = sum(rate.per_second * SECONDS for rates in party.rates.values() for rate in rates)
    fastest = max(rate.per_second for rate in party.rates[16])
    seconds = (TURNS - had) / fastest
    if seconds > 0:
        await _load(party, 16, min(120, math.ceil(1.2 * seconds)))
    party.after = footprint(int(party.url.rpartition(":")[2]))


def _table(parties: list[Party], connections: int) -> Table:
    table = Table(title=f"\nTurns, {connections} connection{'s' * (connections > 1)}")
    for heading in ("", "turns/s", "of the floor", "p50 ms", "p99 ms", "CPU ms", "not 200"):
        table.add_column(heading, justify="left" if not heading else "right")
    for party in parties:
        rates = party.rates[connections]
        table.add_row(
            party.name,
            f"{_median([rate.per_second for rate in rates]):,.0f}",
            f"{_share(party, parties[0], connections):.0%}",
            f"{_median([rate.p50_ms for rate in rates]):.2f}",
            f"{_median([rate.p99_ms for rate in rates]):.2f}",
            f"{_median(party.cpu_ms[connections]):.2f}",
            f"{sum(rate.bad for rate in rates):,}",
        )
    return table


def _sizes(parties: list[Party]) -> Table:
    table = Table(title="\nThe process")
    for heading in ("", "ready s", "MB at rest", f"MB after {TURNS:,} turns"):
        table.add_column(heading, justify="left" if not heading else "right")
    for party in parties:
        figures = [f"{each.megabytes:.0f}" if each else "" for each in (party.at_rest, party.after)]
        table.add_row(party.name, f"{party.ready_seconds:.2f}", *figures)
    return table


def _judge(console: Console, parties: list[Party]) -> None:
    floor, ours = parties[0], [party for party in parties if party.name in (JSON, STREAM)]
    share = min(_share(party, floor, connections) for party in ours for connections in (1, 16))
    ready = max(party.ready_seconds for party in ours)
    console.print(f"\nOf the floor, at worst: {share:.0%} (target: {SHARE_OF_FLOOR:.0%} at least)")
    console.print(f"Ready: {ready:.2f} s (target: {READY_SECONDS} s at most)")
    if share < SHARE_OF_FLOOR or ready > READY_SECONDS:
        raise SystemExit("A target is missed.")


def _share(party: Party, floor: Party, connections: int) -> float:
    pairs = zip(party.rates[connections], floor.rates[connections], strict=True)
    return _median([each.per_second / of.per_second for each, of in pairs])


def _median(figures: list[float]) -> float:
    return statistics.median(figures)


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m benchmarks.agents",
        description="Measures for some minutes what the agent costs beside an agent of the a2a-sdk's that does nothing. "
        "Needs wrk; ends with 1 where a target is missed.",
    ).parse_args()
    asyncio.run(main())
