"""Charges are not lost: one is tried until the store answers, also when whoever sent it has given up waiting."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import ParamSpec, TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from budgets.budget import Budget
from budgets.quoting import logged_name
from budgets.stores.store import CallId, Store, StoreAway

log = logging.getLogger("budgets")

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


class Charging:
    def __init__(self, store: Store, patience: float = 30) -> None:
        """`patience` is the seconds for which a charge is tried while the store is away."""
        self._store = store
        self._patience = patience
        self._under_way: dict[str, asyncio.Task[bool]] = {}
        self._giving_back: set[asyncio.Task[None]] = set()

    async def charge(self, call: CallId, amounts: Mapping[Budget, int], now: float) -> bool:
        """Whether this call was charged by it: a repeated charge joins the one under way, and counts once.

        Raises StoreAway once the patience has ended, and logs what was lost.
        """
        task = self._under_way.get(call.value)
        if task is not None:
            await asyncio.shield(task)
            return False
        task = self._under_way[call.value] = asyncio.create_task(self._charge(call, amounts, now))
        task.add_done_callback(lambda _: self._under_way.pop(call.value, None))
        return await asyncio.shield(task)

    def give_back(self, call: CallId) -> None:
        """End what a check may have reserved whose answer never came: the store may have got it, and carry it out late.

        In the background, for as long as a charge is tried.
        """
        task = asyncio.create_task(self._give_back(call))
        self._giving_back.add(task)
        task.add_done_callback(self._giving_back.discard)

    async def drain(self) -> None:
        """Wait for the charges that are under way. What is still to be given back lapses by itself."""
        for task in self._giving_back:
            task.cancel()
        await asyncio.gather(*self._giving_back, *self._under_way.values(), return_exceptions=True)

    async def _charge(self, call: CallId, amounts: Mapping[Budget, int], now: float) -> bool:
        try:
            return await self._patiently(self._store.charge, call, amounts, now)
        except (StoreAway, asyncio.CancelledError) as error:
            lost = {budget.id: amount for budget, amount in amounts.items()}
            why = f"the store cannot be used ({error})" if isinstance(error, StoreAway) else "the service stops"
            log.error("charge lost: request=%s amounts=%s: %s", logged_name(call.value), lost, why)
            raise

    async def _give_back(self, call: CallId) -> None:
        with contextlib.suppress(StoreAway):  # then it lapses, and is charged its estimate
            await self._patiently(self._store.release, call)

    async def _patiently(self, ask: Callable[Asked, Awaitable[Answer]], *asked: Asked.args, **named: Asked.kwargs) -> Answer:
        with contextlib.suppress(StoreAway):
            return await ask(*asked, **named)
        patience = AsyncRetrying(
            retry=retry_if_exception_type(StoreAway),
            stop=stop_after_delay(self._patience),
            wait=wait_random_exponential(multiplier=0.05, max=1),
            reraise=True,
        )
        return await patience(ask, *asked, **named)
