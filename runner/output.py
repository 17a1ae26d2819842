"""What a program writes, read line by line, whatever it writes."""

import asyncio
import codecs
import os
from collections import deque
from collections.abc import Callable

Sink = Callable[[str, str], None]
"""Takes the program's name and one line without its end."""

LONGEST = 16_384
"""Characters in a line; a longer one is passed on in pieces, so that no program can fill the runner's memory."""

LAST_WORDS = 20
LONGEST_LAST_WORD = 500


class Lines:
    """Bytes in, lines of text out. Bytes that are not UTF-8 become U+FFFD."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        *whole, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
        pieces = [piece for line in whole for piece in _cut(line.removesuffix("\r"))]
        *long, self._rest = _cut(self._rest)
        return pieces + long

    def end(self) -> list[str]:
        """The last line, if it had no end."""
        rest, self._rest = self._rest + self._decoder.decode(b"", final=True), ""
        return [rest] if rest else []


def _cut(line: str) -> list[str]:
    """Pieces of at most LONGEST characters; one piece, even of an empty line."""
    return [line[start : start + LONGEST] for start in range(0, max(len(line), 1), LONGEST)]


class Output(asyncio.Protocol):
    """The reading end of one program's standard output and error: passes each line on, and remembers the last ones."""

    def __init__(self, name: str, sink: Sink) -> None:
        self._name = name
        self._sink = sink
        self._lines = Lines()
        self._last_words: deque[str] = deque(maxlen=LAST_WORDS)
        self._transport: asyncio.BaseTransport | None = None
        self._ended = asyncio.Event()

    @property
    def last_words(self) -> tuple[str, ...]:
        return tuple(self._last_words)

    async def connect(self) -> int:
        """The descriptor to write to, which the caller closes once the program has it."""
        reading, writing = os.pipe()
        try:
            await asyncio.get_running_loop().connect_read_pipe(lambda: self, os.fdopen(reading, "rb", 0))
        except BaseException:
            os.close(writing)
            raise
        return writing

    async def ended(self, within: float) -> None:
        """Returns when everything is read. A descendant that left the program's group may hold the other end open for
        ever: after `within` seconds it is not listened to any more."""
        try:
            async with asyncio.timeout(within):
                await self._ended.wait()
        except TimeoutError:
            self.close()

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._pass_on(self._lines.feed(data))

    def connection_lost(self, _: Exception | None) -> None:
        self._ended.set()
        self._pass_on(self._lines.end())

    def _pass_on(self, lines: list[str]) -> None:
        self._last_words.extend(line[:LONGEST_LAST_WORD] for line in lines)
        for line in lines:
            self._sink(self._name, line)
