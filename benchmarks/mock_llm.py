"""The mock LLM's answers a second, beside a server that does nothing and a mock as it is usually written.

`python -m benchmarks.mock_llm`. Raises SystemExit where a target is missed.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks.footprint import footprint
from benchmarks.load import Rate, find_wrk, http_load
from benchmarks.plain_mocks import PATH
from runner.ports import Ports

ROUNDS = 5
SECONDS = 3.0
CONNECTIONS = 64
REQUESTS = 1_000_000
"""Between the two looks at the memory."""
PER_SECOND = 15_000
SHARE_OF_FLOOR = 0.48
"""What counts on a machine that is too slow for PER_SECOND: it is PER_SECOND of the 31,000 that a server which does nothing
answers on two cores that are otherwise idle."""
GROWTH_MB = 8.0
"""What the memory may grow by, once the journal is full."""

CALL = '{"model": "gpt-4o", "messages": [{"role": "user", "content": "Why is this query slow?"}]}'
HEADERS = {
    "content-type": "application/json",
    "x-team-id": "dba",
    "x-user-id": "alice",
    "x-request-id": "0b6f7f2e-1d1f-4a43-9f0f-8f7f0a6f3c11",
}
ECHO, OURS, USUAL = "echo (the floor)", "mock_llm", "Starlette, a log line each"


@dataclass(frozen=True)
class Memory:
    """Resident megabytes: when the journal was full, and so many requests later."""

    before: float
    after: float
    requests: int


async def main(rounds: int, requests: int) -> None:
    find_wrk()
    console = Console()
    with Ports() as ports:
        listening = {name: ports.take() for name in (ECHO, OURS, USUAL)}
        async with AsyncExitStack() as stack:
            for name, port in listening.items():
                await stack.enter_async_context(_serving(_command(name, port), port, _environment(port)))
            rates = await _in_turn(listening, rounds)
            memory = await _memory(listening[OURS], requests)
    console.print(_table(rates))
    console.print(f"\nResident after {memory.requests:,} requests more: {memory.before:.1f} -> {memory.after:.1f} MB")
    _judge(console, rates, memory)


def _command(name: str, port: int) -> list[str]:
    if name == OURS:
        return [sys.executable, "-m", "mock_llm"]
    return [sys.executable, "-m", "benchmarks.plain_mocks", "echo" if name == ECHO else "usual", str(port)]


def _environment(port: int) -> dict[str, str]:
    return {"MOCK_LLM_PORT": str(port)}


@asynccontextmanager
async def _serving(command: list[str], port: int, environment: dict[str, str]) -> AsyncIterator[None]:
    """Its log goes nowhere, which costs least."""
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=subprocess.DEVNULL)
    try:
        while not await _listens(port):
            if process.returncode is not None:
                raise SystemExit(f"{' '.join(command[1:])} has ended before it listened. Start it alone to see why.")
            await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _load(port: int, seconds: float) -> Rate:
    return await http_load(f"http://127.0.0.1:{port}{PATH}", HEADERS, CALL, CONNECTIONS, seconds)


async def _in_turn(listening: dict[str, int], rounds: int) -> dict[str, list[Rate]]:
    """Round by round, so that a machine that is slow for a while is slow for all."""
    rates: dict[str, list[Rate]] = {name: [] for name in listening}
    for _ in range(rounds):
        for name, port in listening.items():
            rates[name].append(await _load(port, SECONDS))
    return rates


async def _memory(port: int, requests: int) -> Memory:
    """The rounds before have filled the journal."""
    before = footprint(port).megabytes
    sent = 0.0
    while sent < requests:
        rate = await _load(port, 10.0)
        sent += rate.per_second * 10.0
    return Memory(before, footprint(port).megabytes, int(sent))


def _table(rates: dict[str, list[Rate]]) -> Table:
    table = Table(title=f"\nPOST {PATH}, {CONNECTIONS} connections, one worker each")
    for heading in ("", "requests/s", "of the floor", "p50 ms", "p99 ms", "not 200"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, measured in rates.items():
        table.add_row(
            name,
            f"{statistics.median(each.per_second for each in measured):,.0f}",
            f"{_share(rates, name):.0%}",
            f"{statistics.median(each.p50_ms for each in measured):.2f}",
            f"{statistics.median(each.p99_ms for each in measured):.2f}",
            f"{sum(each.bad for each in measured):,}",
        )
    return table


def _share(rates: dict[str, list[Rate]], name: str) -> float:
    pairs = zip(rates[name], rates[ECHO], strict=True)
    return statistics.median(ours.per_second / floor.per_second for ours, floor in pairs)


def _judge(console: Console, rates: dict[str, list[Rate]], memory: Memory) -> None:
    per_second = statistics.median(each.per_second for each in rates[OURS])
    share = _share(rates, OURS)
    console.print(f"Target: {PER_SECOND:,} requests/s, or {SHARE_OF_FLOOR:.0%} of the floor on a slower machine")
    console.print(f"Target: {GROWTH_MB:g} MB more at most")
    bad = sum(each.bad for each in rates[OURS])
    if (per_second < PER_SECOND and share < SHARE_OF_FLOOR) or memory.after - memory.before > GROWTH_MB or bad:
        raise SystemExit("A target is missed.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mock_llm",
        description="Measures for some minutes what a chat completion costs the mock LLM, and whether its memory stays flat. "
        "Needs wrk; ends with 1 where a target is missed.",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="between the two looks at the memory")
    asked = parser.parse_args()
    asyncio.run(main(asked.rounds, asked.requests))
