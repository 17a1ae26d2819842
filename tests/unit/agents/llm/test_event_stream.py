from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm.event_stream import TooLongError, read_events

pytestmark = pytest.mark.anyio


async def pieces_of(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def events(*pieces: bytes, longest: int = 1000) -> list[bytes]:
    return [event async for event in read_events(pieces_of(pieces), longest)]


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a \n\n", [b" a "]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b": a comment\n\ndata: a\n: another\n\n", [b"a"]),
        (b"event: message\nid: 7\nretry: 5\ndata: a\n\n", [b"a"]),
        (b"event: ping\n\n\n\ndata: a\n\n", [b"a"]),
        (b"data\n\ndatabase: a\n\n", []),
        (b"data:\n\n", [b""]),
        (b"data: \xff\x00\n\n", [b"\xff\x00"]),
        (b"", []),
    ],
)
async def test_the_data_of_each_event_is_read(stream: bytes, data: list[bytes]) -> None:
    assert await events(stream) == data


@pytest.mark.parametrize("cut", [b"data: b", b"data: b\n", b"data: b\r"])
async def test_an_event_that_was_cut_is_dropped(cut: bytes) -> None:
    assert await events(b"data: a\n\n", cut) == [b"a"]


line = st.one_of(
    st.binary(max_size=12).map(lambda data: b"data: " + data.replace(b"\n", b"").replace(b"\r", b"")),
    st.sampled_from([b"", b"data:", b"data:x", b": ping", b"event: message", b"id: 1"]),
)


@given(st.lists(line, max_size=12), st.sampled_from([b"\n", b"\r\n"]), st.lists(st.integers(0, 250), max_size=8))
async def test_wherever_the_bytes_are_cut_the_events_are_the_same(lines: list[bytes], end: bytes, places: list[int]) -> None:
    stream = b"".join(line + end for line in lines)
    cuts = sorted(min(place, len(stream)) for place in places)
    pieces = [stream[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert await events(*pieces) == await events(stream)


async def test_byte_by_byte_it_is_the_same() -> None:
    stream = b": hi\r\ndata: one\r\ndata:two\r\n\r\ndata: three\n\n"
    assert await events(*[stream[at : at + 1] for at in range(len(stream))]) == [b"one\ntwo", b"three"]


@pytest.mark.parametrize("endless", [b"x" * 10, b"data: xxxx\n", b"data: " + b"x" * 4])
async def test_an_event_without_end_is_not_kept_in_memory(endless: bytes) -> None:
    read = 0

    async def without_end() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield endless

    with pytest.raises(TooLongError):
        async for _ in read_events(without_end(), longest=100):
            raise AssertionError
    assert read <= 12


async def test_many_events_are_not_one_long_one() -> None:
    assert len(await events(*[b"data: 12345678\n\n"] * 50, longest=20)) == 50


async def test_an_event_may_be_as_long_as_the_bound() -> None:
    assert await events(b"data:" + b"x" * 15 + b"\n\n", longest=20) == [b"x" * 15]
