"""The counters beside the ledger: what the budget service has charged, and what the LLM says it has used."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx
from rich.table import Table


@dataclass(frozen=True)
class Account:
    """One team in one window, in tokens."""

    team: str
    window: str
    limit: int
    used: int
    forgiven: int
    """What was on the counter when it was reset."""
    ledger: int

    @property
    def balanced(self) -> bool:
        return self.used + self.forgiven == self.ledger


class Books:
    """Compares the two for every budget of a team's tokens; of others the ledger knows nothing. Use it with `async with`."""

    def __init__(self, budgets: str, mock_llm: str) -> None:
        self._budgets = budgets
        self._mock_llm = mock_llm
        self._http = httpx.AsyncClient(trust_env=False, timeout=10)
        self._forgiven: Counter[str] = Counter()

    async def __aenter__(self) -> "Books":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.aclose()

    async def accounts(self) -> list[Account]:
        budgets = (await self._get(f"{self._budgets}/v1/budgets"))["budgets"]
        ledger: Counter[str] = Counter()
        for caller in (await self._get(f"{self._mock_llm}/ledger"))["callers"]:
            ledger[caller["team"]] += caller["total_tokens"]
        return [
            Account(
                team=budget["subject"]["team"],
                window=budget["window"],
                limit=budget["limit"],
                used=budget["used"],
                forgiven=self._forgiven[budget["id"]],
                ledger=ledger[budget["subject"]["team"]],
            )
            for budget in budgets
            if _is_of_a_teams_tokens(budget)
        ]

    async def settled(self, within: float = 10) -> list[Account]:
        """The accounts once they are balanced, or as they are after `within` seconds: a charge follows its answer, and
        a service that has died is back a moment later. Raises httpx.HTTPError where it is not."""
        deadline = asyncio.get_running_loop().time() + within
        while True:
            late = asyncio.get_running_loop().time() > deadline
            try:
                accounts = await self.accounts()
            except httpx.HTTPError:
                if late:
                    raise
            else:
                if late or all(account.balanced for account in accounts):
                    return accounts
            await asyncio.sleep(0.02)

    async def reset(self, team: str) -> None:
        answer = await self._http.post(f"{self._budgets}/v1/budgets/reset", json={"team": team})
        answer.raise_for_status()
        emptied = filter(_is_of_a_teams_tokens, answer.json()["reset"])
        self._forgiven.update({budget["id"]: budget["used"] for budget in emptied})

    async def _get(self, url: str) -> Any:
        answer = await self._http.get(url)
        answer.raise_for_status()
        return answer.json()


def _is_of_a_teams_tokens(budget: dict[str, Any]) -> bool:
    return bool(budget["unit"] == "tokens" and budget["subject"].keys() == {"team"})


def books_table(accounts: list[Account]) -> Table:
    table = Table(title="\nThe counters beside the mock LLM's ledger, in tokens")
    for heading in ("team", "window"):
        table.add_column(heading)
    for heading in ("counter", "before the reset", "sum", "ledger", "difference"):
        table.add_column(heading, justify="right")
    for each in accounts:
        total = each.used + each.forgiven
        figures = (each.used, each.forgiven, total, each.ledger, total - each.ledger)
        table.add_row(each.team, each.window, *(f"{figure:,}" for figure in figures))
    return table
