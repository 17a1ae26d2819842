"""One turn at a time in a context, within this process: first come, first served."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Line:
    """`owner` is whose the context is, once a turn has found out; `length` counts those who have or await a turn."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    owner: str | None = None
    length: int = 0


class Turns:
    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}

    @property
    def at_work(self) -> list[str]:
        """Contexts with a turn under way, or with one that waits."""
        return list(self._lines)

    @asynccontextmanager
    async def enter(self, context_id: str) -> AsyncIterator[Line]:
        """Marks the context as at work. The turn itself begins with the line's lock, in the order of the calls."""
        line = self._lines.setdefault(context_id, Line())
        line.length += 1
        try:
            yield line
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[context_id]
