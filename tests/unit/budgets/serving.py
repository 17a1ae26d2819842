"""What the HTTP ports of the budget service stand on, over counters in memory, with a clock that the test sets."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
from fastapi import FastAPI

from budgets.budget import Budget, Usage
from budgets.charging import Charging
from budgets.engine import Engine
from budgets.matching.policy import Call
from budgets.metrics import Metrics
from budgets.overview import Overview
from budgets.reload import PolicyFile
from budgets.stores.memory import MemoryStore
from budgets.stores.store import StoreAway, Tally
from tests.unit.budgets.policies import lay_out

MIDNIGHT = 1_795_219_200.0
"""2026-11-21T00:00:00Z."""


class Flaky(MemoryStore):
    """It can go away."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False

    async def read(self, budgets: Sequence[Budget], now: float) -> list[Tally]:
        self._answer()
        return await super().read(budgets, now)

    async def keep_raise(self, key: str, kept: str | None) -> None:
        self._answer()
        await super().keep_raise(key, kept)

    async def ping(self) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.away:
            raise StoreAway("it stalls")


class Service:
    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.now = MIDNIGHT + 12 * 3_600
        self.policy_file = PolicyFile(lay_out(folder, files), "tests")
        self.store = Flaky()
        self.metrics = Metrics()
        self.engine = Engine(
            lambda: self.policy_file.rules, self.store, Charging(self.store, 0), self.metrics, clock=self.clock
        )
        self.overview = Overview(lambda: self.policy_file.rules, self.store, self.engine.raises, self.clock)

    def clock(self) -> float:
        return self.now

    async def charge(self, tokens: int, **dimensions: str) -> None:
        await self.engine.charge(Call((tuple(dimensions.items()),), described=True), [Usage(unsplit=tokens)])

    async def reserve(self, **dimensions: str) -> None:
        await self.engine.check(Call((tuple(dimensions.items()),), described=True))


def client(app: FastAPI) -> httpx.AsyncClient:
    """Raises what the application raises, so that no fault hides behind a 500."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://budgets")
