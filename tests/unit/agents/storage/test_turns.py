import asyncio

import pytest

from agents.storage.turns import Turns

pytestmark = pytest.mark.anyio


async def test_a_context_is_at_work_while_somebody_has_or_awaits_a_turn_and_is_then_forgotten() -> None:
    turns = Turns()

    async def turn(context_id: str) -> None:
        async with turns.enter(context_id) as line, line.turn:
            pass

    async with turns.enter("a") as line:
        await line.turn.acquire()
        waiting = [asyncio.create_task(turn(name)) for name in ("a", "a", "b")]
        await waiting[2]
        assert turns.at_work == ["a"]
        waiting[0].cancel()
        line.turn.release()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert turns.at_work == ["a"]
    assert turns.at_work == []
