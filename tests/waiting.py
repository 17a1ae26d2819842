"""Waiting for a condition, never for a time."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str, within: float = 20) -> None:
    """Raises AssertionError that names `what`, where it does not come true within so many seconds."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        holds = condition()
        if holds if isinstance(holds, bool) else await holds:
            return
        assert asyncio.get_running_loop().time() < deadline, f"waited {within:g} s for {what}"
        await asyncio.sleep(0.02)
