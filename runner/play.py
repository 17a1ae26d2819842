"""A system of its own for the demo: a fresh state folder, its own counters, gone when the story has ended well."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path

import httpx
from rich.console import Console
from rich.text import Text

from runner import terminal
from runner.books import Account, Books, books_table
from runner.config import Settings
from runner.demo import Demo, UnexpectedError
from runner.errors import ProgramError, StoppedError
from runner.ports import Ports
from runner.supervisor import Supervisor
from runner.system import System
from runner.talk import NoAgentError
from runner.up import stop_on_signals


async def play(settings: Settings, seed: int | None) -> bool:
    """Whether the story went as told and the books balance. Raises NoPortError, WrongPolicyError and TeamsError."""
    console = terminal.console()
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="agentic-budgets-demo-"))
    try:
        went_well = await _play(folder, settings, seed, console)
    except StoppedError:
        shutil.rmtree(folder)
        console.print("Stopped before the end.")
        return False
    except (UnexpectedError, ProgramError, NoAgentError, httpx.HTTPError) as error:
        console.print(Text(str(error), style="red"))
        went_well = False
    if went_well:
        shutil.rmtree(folder)
        console.print(f"All of it balances, to the token. {time.monotonic() - began:.1f} s.", highlight=False)
    else:
        console.print(f"The story did not end well. What every program wrote: {folder / 'demo.log'}", highlight=False)
    return went_well


async def _play(folder: Path, settings: Settings, seed: int | None, console: Console) -> bool:
    with (folder / "demo.log").open("w", encoding="utf-8") as log, Ports() as ports:
        # A store of the user's own may hold counters in earnest: there the demo's have a domain to themselves.
        domain = folder.name if settings.budgets_store else None
        system = System(folder, settings, ports, domain=domain, seed=seed)
        async with Supervisor(
            lambda name, line: print(f"{name} | {line}", file=log, flush=True),
            lambda line: console.print(f"runner: {line}", markup=False, highlight=False),
        ) as supervisor:
            stop_on_signals(supervisor)
            names = ", ".join(team.name for team in system.teams)
            console.print(f"Starting Valkey, JWT issuer, mock LLM, budgets, Envoy and an agent each for {names}.")
            await system.start(supervisor)
            async with Books(system.addresses.budgets, system.addresses.mock_llm) as books:
                accounts = await _unless_stopped(supervisor, Demo(system, supervisor, books, console).play())
            console.print(books_table(accounts))
            return all(account.balanced for account in accounts)


async def _unless_stopped(supervisor: Supervisor, story: Coroutine[None, None, list[Account]]) -> list[Account]:
    """What the story comes to. Raises StoppedError on Ctrl-C, and GaveUp when a part of the system cannot be kept up."""
    playing, stopping = asyncio.create_task(story), asyncio.create_task(supervisor.wait())
    try:
        await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            stopping.result()
            raise StoppedError("the rest of the story")
        return playing.result()
    finally:
        playing.cancel()
        stopping.cancel()
        await asyncio.gather(playing, stopping, return_exceptions=True)
