"""Server-sent events, as far as an LLM's stream uses them: https://html.spec.whatwg.org/multipage/server-sent-events.html.

A library would read a line to its end, however long the other side makes it.
"""

from collections.abc import AsyncIterator

LONGEST = 16 * 1024 * 1024
"""Bytes of one event."""


class TooLongError(Exception):
    """An event without end."""


async def read_events(chunks: AsyncIterator[bytes], longest: int = LONGEST) -> AsyncIterator[bytes]:
    """The data of each event. Raises TooLongError, and what reading the chunks raises."""
    data: list[bytes] = []
    size = 0
    async for line in _lines(chunks, longest):
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
            size += len(line)
            if size > longest:
                raise TooLongError
        elif not line and data:
            yield b"\n".join(data)
            data, size = [], 0


async def _lines(chunks: AsyncIterator[bytes], longest: int) -> AsyncIterator[bytes]:
    """Lines end in LF or CRLF. What has no end of line when the stream ends was cut, and is dropped."""
    kept = bytearray()
    async for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        if whole:
            whole[0] = bytes(kept) + whole[0]
            kept.clear()
            for line in whole:
                yield line.removesuffix(b"\r")
        kept += rest
        if len(kept) > longest:
            raise TooLongError
