import asyncio

import pytest

from jwt_issuer.oauth.turns import BusyError, Turns
from tests.waiting import until

pytestmark = pytest.mark.anyio


class Work:
    """Takes a turn, and keeps it until it is told to end."""

    def __init__(self, turns: Turns, order: list[int], number: int) -> None:
        self.end = asyncio.Event()
        self.task = asyncio.create_task(self._run(turns, order, number))

    async def _run(self, turns: Turns, order: list[int], number: int) -> None:
        async with turns.turn("caller"):
            order.append(number)
            await self.end.wait()


async def test_so_many_at_once_the_others_in_the_order_in_which_they_came() -> None:
    turns, order = Turns(at_once=2, waiting=3, each=3), list[int]()
    works = [Work(turns, order, number) for number in range(5)]
    await until(lambda: len(order) == 2, "the first two")
    works[1].end.set()
    await until(lambda: len(order) == 3, "the third")
    for work in works:
        work.end.set()
    await asyncio.gather(*(work.task for work in works))
    assert order == [0, 1, 2, 3, 4]


async def test_beyond_those_that_may_wait_nobody_does_until_one_has_had_its_turn() -> None:
    turns, order = Turns(at_once=1, waiting=1, each=1), list[int]()
    first, second = Work(turns, order, 0), Work(turns, order, 1)
    await until(lambda: order == [0], "the first one's turn")
    with pytest.raises(BusyError):
        async with turns.turn("caller"):
            pass
    first.end.set()
    await until(lambda: order == [0, 1], "the second one's turn")
    third = Work(turns, order, 2)
    second.end.set()
    third.end.set()
    await third.task
    await first.task
    await second.task
    assert order == [0, 1, 2]


async def test_whoever_gives_up_waiting_makes_room() -> None:
    turns, order = Turns(at_once=1, waiting=1, each=1), list[int]()
    first, second = Work(turns, order, 0), Work(turns, order, 1)
    await until(lambda: order == [0], "the first one's turn")
    second.task.cancel()
    await asyncio.wait([second.task])
    third = Work(turns, order, 2)
    first.end.set()
    third.end.set()
    await third.task
    assert order == [0, 2]


async def test_a_turn_that_fails_is_given_back() -> None:
    turns = Turns(at_once=1, waiting=0, each=0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with turns.turn("caller"):
                raise ZeroDivisionError


async def test_one_caller_does_not_take_all_the_room_to_wait() -> None:
    turns, order = Turns(at_once=1, waiting=2, each=1), list[int]()
    first, second = Work(turns, order, 0), Work(turns, order, 1)
    await until(lambda: order == [0], "the first one's turn")
    with pytest.raises(BusyError):
        async with turns.turn("caller"):
            pass

    async def of_another() -> None:
        async with turns.turn("another"):
            order.append(2)

    other = asyncio.create_task(of_another())
    first.end.set()
    second.end.set()
    await asyncio.gather(first.task, second.task, other)
    assert order == [0, 1, 2]
