"""What is left: asked of the gateway for free, or else read from the last answer's headers."""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import httpx
import pydantic_core

from agents.budget.texts import say_balance, say_meter
from agents.llm.connection import Connection
from agents.llm.meter import LastMeter

log = logging.getLogger(__name__)

PATIENCE = 10
"""Seconds that the gateway may take; the user is waiting for a figure, not for an essay."""

LARGEST = 1024 * 1024
"""Bytes of the gateway's answer."""


class Balance:
    """A `Budget` of the kit: `GET /v1/budget` of the budget contract on the wire, with the agent's own credential."""

    def __init__(self, connection: Connection, last_meter: LastMeter) -> None:
        self._connection = connection
        self._last = last_meter

    async def describe(self) -> str:
        budgets = await self._ask()
        if budgets is None:
            return say_meter(self._last.meter)
        return say_balance(budgets, datetime.now(UTC))

    def _get(self) -> AbstractAsyncContextManager[httpx.Response]:
        return self._connection.request("GET", self._connection.balance, self._connection.credential())

    async def _ask(self) -> list[dict[str, Any]] | None:
        """None where the gateway does not say: many know of no such address."""
        try:
            async with asyncio.timeout(PATIENCE), self._get() as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > LARGEST:
                        return None
        except (TimeoutError, httpx.HTTPError, httpx.StreamError) as error:
            log.warning("The gateway did not say what is left at %s: %s.", self._connection.balance, type(error).__name__)
            return None
        return _read(bytes(body)) if response.is_success else None


def _read(body: bytes) -> list[dict[str, Any]] | None:
    try:
        document = pydantic_core.from_json(body)
    except ValueError:
        return None
    budgets = document.get("budgets") if isinstance(document, dict) else None
    return [budget for budget in budgets if isinstance(budget, dict)] if isinstance(budgets, list) else None
