"""`up`: the system, left running until Ctrl-C."""

import asyncio
import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runner import addresses
from runner.addresses import Addresses
from runner.config import Settings
from runner.errors import StoppedError
from runner.lock import only_one
from runner.ports import Ports
from runner.supervisor import Supervisor
from runner.system import System
from runner.terminal import stop_unread
from runner.valkey import NO_NEWS

HELLO = """{"model": "mock-essay-7b", "messages": [{"role": "user", "content": "Hello."}]}"""


async def up(folder: Path, settings: Settings, seed: int | None = None) -> None:
    """Raises AlreadyRunningError, NoPortError, TeamsError, WrongPolicyError, or ProgramError where it had to be stopped."""
    with only_one(folder), Ports() as ports:
        addresses.remove(folder)  # what a killed `up` has left says where nobody listens any more
        system = System(folder, settings, ports, seed=seed)
        async with Supervisor(_forward, _say) as supervisor:
            stop_on_signals(supervisor)
            with suppress(StoppedError):
                await system.start(supervisor)
                for name, port in system.moved.items():
                    _say(f"the usual port of {name} is taken, so it listens on {port}")
                with _announced(system.addresses, folder):
                    _say_where(system)
                    await supervisor.wait()
            _say("stopping")
    _print("All stopped.")


def stop_on_signals(supervisor: Supervisor) -> None:
    """Ctrl-C, a closed terminal or a `kill` stops the system in order; a second one at once."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.request_stop)


@contextmanager
def _announced(where: Addresses, folder: Path) -> Iterator[None]:
    where.write(folder)
    try:
        yield
    finally:
        addresses.remove(folder)


def _forward(name: str, line: str) -> None:
    if NO_NEWS not in line:
        _print(f"{name:<13} | {line}")


def _say(line: str) -> None:
    _forward("runner", line)


def _print(line: str) -> None:
    try:
        print(line, flush=True)
    except BrokenPipeError:
        stop_unread()


def _say_where(system: System) -> None:
    at = system.addresses
    where = {
        "gateway": f"{at.gateway}/v1/chat/completions",
        **{name: f"{url}/.well-known/agent-card.json" for name, url in at.agents.items()},
        "budgets": f"{at.budgets}/v1/budgets",
        "mock LLM": f"{at.mock_llm}/ledger",
        "JWT issuer": f"{at.jwt_issuer}/.well-known/jwks.json",
    }
    width = max(map(len, where))
    _say("the system is up")
    for name, url in where.items():
        _say(f"  {name:<{width}}  {url}")
    team = system.teams[0]
    caller = team.users[0] if team.users else team.name
    _say(f"call the gateway as {caller} of {team.name}, without an agent:")
    _say(f"  {_curl(at.gateway, system.token_file(caller))}")
    _say(f"and what {caller} may still spend:")
    _say(f"  curl {at.gateway}/v1/budget -H {_bearer(system.token_file(caller))}")
    _say(f"talk to one with `make chat AGENT={next(iter(at.agents))}`, stop with Ctrl-C")


def _curl(gateway: str, token_file: Path) -> str:
    """A command to paste."""
    content_type = "'Content-Type: application/json'"
    return f"curl {gateway}/v1/chat/completions -H {_bearer(token_file)} -H {content_type} -d '{HELLO}'"


def _bearer(token_file: Path) -> str:
    """For a command to paste, which reads the token from its file: neither a log nor a history ever holds it."""
    return f'"Authorization: Bearer $(cat {shlex.quote(os.fspath(token_file.resolve()))})"'
