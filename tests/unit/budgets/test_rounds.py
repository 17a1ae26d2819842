import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from budgets.stores.rounds import SIDE_BY_SIDE, Rounds, Script

pytestmark = pytest.mark.anyio

SCRIPT = Script("return 1")


class AtOnce(Rounds):
    """Answers without a store, and so within one step of the loop: the moment in which a wake-up can be lost."""

    async def _ask(self, together: list[Any]) -> None:
        for asked in together:
            asked.answer.set_result(asked.words[-1])


class Failing(Rounds):
    async def _ask(self, together: list[Any]) -> None:
        raise ValueError("no answer")


async def test_whoever_comes_while_trips_end_is_not_left_waiting() -> None:
    rounds = AtOnce(Redis(), 1)

    async def one_after_another() -> list[Any]:
        return [await rounds.run(SCRIPT, [], [number]) for number in range(5)]

    async with asyncio.timeout(5):
        told = await asyncio.gather(*(one_after_another() for _ in range(SIDE_BY_SIDE + 1)))
    assert told == [[0, 1, 2, 3, 4]] * (SIDE_BY_SIDE + 1)


async def test_a_failure_of_any_kind_reaches_everybody_who_waits() -> None:
    rounds = Failing(Redis(), 1)
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*(rounds.run(SCRIPT, [], []) for _ in range(5)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {ValueError}
