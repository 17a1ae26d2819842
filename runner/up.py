"""`up`: the system, left running until Ctrl-C."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runner.config import Settings
from runner.errors import StoppedError
from runner.lock import only_one
from runner.ports import Ports
from runner.supervisor import Supervisor
from runner.system import Addresses, System

ADDRESSES = "system.json"
"""The file in the state folder that says where the running system listens; there is none while none runs."""


async def up(folder: Path, settings: Settings, seed: int | None = None) -> None:
    """Raises AlreadyRunningError, NoPortError, TeamsError, or ProgramError when the system had to be stopped."""
    with only_one(folder), Ports() as ports:
        system = System(folder, settings, ports, seed=seed)
        async with Supervisor(_forward, _say) as supervisor:
            stop_on_signals(supervisor)
            with suppress(StoppedError):
                await system.start(supervisor)
                for name, port in system.moved.items():
                    _say(f"the usual port of {name} is taken, so it listens on {port}")
                with _announced(system.addresses, folder / ADDRESSES):
                    _say_where(system.addresses)
                    await supervisor.wait()
            _say("stopping")
    print("All stopped.", flush=True)


def stop_on_signals(supervisor: Supervisor) -> None:
    """Ctrl-C, a closed terminal or a `kill` stops the system in order; a second one at once."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.request_stop)


@contextmanager
def _announced(addresses: Addresses, file: Path) -> Iterator[None]:
    addresses.write(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _forward(name: str, line: str) -> None:
    print(f"{name:<13} | {line}", flush=True)


def _say(line: str) -> None:
    _forward("runner", line)


def _say_where(addresses: Addresses) -> None:
    where = {
        "gateway": f"{addresses.gateway}/v1/chat/completions",
        **{name: f"{url}/.well-known/agent-card.json" for name, url in addresses.agents.items()},
        "budgets": f"{addresses.budgets}/v1/budgets",
        "mock LLM": f"{addresses.mock_llm}/ledger",
        "JWT issuer": f"{addresses.jwt_issuer}/.well-known/jwks.json",
    }
    width = max(map(len, where))
    _say("the system is up")
    for name, url in where.items():
        _say(f"  {name:<{width}}  {url}")
    _say(f"talk to one with `make chat AGENT={next(iter(addresses.agents))}`, stop with Ctrl-C")
