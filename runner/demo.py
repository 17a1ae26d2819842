"""`demo`: the story in four scenes, through real A2A calls, and the books at the end.

Idle; dba burns its hour; dba is refused while support answers; a reset, and dba answers again.
"""

import asyncio
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from runner.books import Account, Books
from runner.supervisor import Supervisor
from runner.system import System
from runner.talk import Reply, ask_once_more
from runner.terminal import indented

HOUR = 3600
LEEWAY = 45
"""Seconds that the story may take. It is not begun when the hour has less left: the new hour would empty the counters."""

MOST_PROMPTS = 20
"""No budget of the story outlasts so many; a loop without a bound is what this project is about."""

ESSAYS = ("indexing strategies", "query plans", "replication", "transaction isolation", "connection pooling", "backups")

REFUSAL = (
    "Sorry — your team's LLM token budget is exhausted. Please try again later. (HTTP 429 from the gateway; team={team!r}.)"
)


class UnexpectedError(Exception):
    """The system did something else than the story says; the text says what."""


class Demo:
    def __init__(self, system: System, supervisor: Supervisor, books: Books, console: Console) -> None:
        self._system = system
        self._supervisor = supervisor
        self._llm = supervisor.pid_of("mock-llm")
        self._books = books
        self._console = console
        self._bars = Progress(
            TextColumn("  {task.description:<8}"),
            BarColumn(40, complete_style="green", finished_style="red"),
            TextColumn("{task.fields[figures]}"),
            console=console,
        )
        self._bar_of: dict[str, TaskID] = {}

    async def play(self) -> list[Account]:
        """The accounts at the end. Raises UnexpectedError where the story goes another way."""
        missing = {"dba", "support"} - {team.name for team in self._system.teams}
        if missing:
            raise UnexpectedError(f"The story needs the teams dba and support; the team list lacks {' and '.join(missing)}.")
        await self._wait_for_a_whole_story()
        with self._bars:
            await self._idle()
            await self._burn("dba")
            await self._refused("dba", "support")
            await self._refill("dba")
        accounts = await self._books.settled()
        self._check_the_ledger()
        return accounts

    async def _idle(self) -> None:
        self._scene(1, "Both teams are idle")
        accounts = await self._show()
        if any(account.used for account in accounts):
            raise UnexpectedError("Somebody has spent tokens before the story began.")

    async def _burn(self, team: str) -> None:
        self._scene(2, f"{team} burns through its hour")
        for number in range(MOST_PROMPTS):
            reply = await self._ask(team, f"Write me a long essay on {ESSAYS[number % len(ESSAYS)]}.")
            if not reply.completed:
                raise UnexpectedError(f"{team} had budget left, and its agent answered: {reply.text}")
            hour = _hour(await self._show(), team)
            if hour.used >= hour.limit:
                return
        raise UnexpectedError(f"{team} still has budget after {MOST_PROMPTS} prompts.")

    async def _refused(self, spent: str, other: str) -> None:
        self._scene(3, f"{spent} is refused, {other} goes on")
        refusal = await self._ask(spent, "Now write an essay on query plans.")
        if refusal.completed or not refusal.text.startswith(REFUSAL.format(team=spent)):
            raise UnexpectedError(f"{spent} has spent its hour, and its agent answered: {refusal.text}")
        if not (await self._ask(other, "Write me a long essay on indexing strategies.")).completed:
            raise UnexpectedError(f"{other} has budget left and was refused all the same.")
        await self._show()

    async def _refill(self, team: str) -> None:
        self._scene(4, f"The budget of {team} is reset, and it answers again")
        await self._books.reset(team)
        await self._show()
        if not (await self._ask(team, "Now write an essay on query plans.")).completed:
            raise UnexpectedError(f"{team} was refused after the reset.")
        await self._show()

    async def _ask(self, team: str, prompt: str) -> Reply:
        reply = await ask_once_more(self._system.addresses.agents[f"{team}-agent"], prompt)
        self._check_the_ledger()
        self._console.print(f"  you to {team}-agent: [italic]{prompt}[/]", highlight=False)
        text = reply.text if not reply.completed else f"{reply.text[:90].rsplit(' ', 1)[0]} …"
        # A style given to `print` would colour the bars below as well.
        self._console.print(indented(Text(text, style="" if reply.completed else "red"), 4, self._console))
        return reply

    async def _show(self) -> list[Account]:
        accounts = await self._books.settled()
        self._check_the_ledger()
        hours = [account for account in accounts if account.window == "hour"]
        for account in hours:
            figures = f"{account.used:,} / {account.limit:,}"
            bar = self._bar_of.get(account.team)
            if bar is None:
                bar = self._bar_of[account.team] = self._bars.add_task(account.team, total=account.limit, figures=figures)
            self._bars.update(bar, completed=min(account.used, account.limit), figures=figures, refresh=True)
        # The bars move on; what is above them stays, and tells the story to whoever scrolls back.
        figures = ", ".join(f"{each.team} {each.used:,} / {each.limit:,}" for each in hours)
        self._console.print(indented(Text(figures), 4, self._console))
        return accounts

    def _check_the_ledger(self) -> None:
        if self._supervisor.pid_of("mock-llm") != self._llm:
            raise UnexpectedError(
                "The mock LLM was restarted in the middle of the story and began a new ledger, so the counters cannot be "
                "compared with it: play the demo again."
            )

    def _scene(self, number: int, title: str) -> None:
        self._console.print(Text(f"\nScene {number}. {title}", style="bold"))

    async def _wait_for_a_whole_story(self) -> None:
        left = HOUR - time.time() % HOUR
        if left < LEEWAY:
            self._console.print(f"The hour ends in {left:.0f} s and empties its budgets; the story begins with the next one.")
            await asyncio.sleep(left)


def _hour(accounts: list[Account], team: str) -> Account:
    return next(account for account in accounts if (account.team, account.window) == (team, "hour"))
