"""Requests that are too long or too slow, as bytes on a socket, and those beside them that must not notice."""

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from uvicorn import Server

from service.http import listen, server
from service.requests import LONGEST_HEAD, PATIENCE, BoundedRequests
from tests.waiting import until

pytestmark = pytest.mark.anyio

WITHIN = 20
"""Seconds until a connection that says nothing is called broken."""

GET = b"GET / HTTP/1.1\r\n\r\n"
HELD = b"GET /held HTTP/1.1\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"


class Impatient(BoundedRequests):
    patience = 0.25


@dataclass
class Application:
    """Says how long the body was. A request for /held waits in the middle of its answer until it is let go."""

    heard: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    headers: list[dict[bytes, bytes]] = field(default_factory=list)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        self.heard.append(path)
        if path == "/unread":
            await self.let_go.wait()
        if path == "/early":
            await self._start(send, b"2")
            await send({"type": "http.response.body", "body": b"no"})
            return
        if path == "/begun":
            await self._start(send, b"5")
        length = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.append(path)
                await send({"type": "http.response.start", "status": 500, "headers": []})
                return
            length += len(message["body"])
            more = message["more_body"]
        if path == "/held":
            await self._start(send, b"8")
            await send({"type": "http.response.body", "body": b"slow ", "more_body": True})
            while not self.let_go.is_set():
                # As Starlette asks whether the client has left; uvicorn reads on at each time.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(receive(), Impatient.patience / 20)
                    return
            await send({"type": "http.response.body", "body": b"end"})
            return
        self.headers.append(dict(scope["headers"]))
        answer = b"%d" % length
        await self._start(send, b"%d" % len(answer))
        await send({"type": "http.response.body", "body": answer})

    async def _start(self, send: Any, length: bytes) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """The status and the body of the next answer; ConnectionError, where the server closes in place of it."""
        try:
            head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), WITHIN)
        except asyncio.IncompleteReadError as error:
            raise ConnectionError(f"closed behind {error.partial!r}") from None
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        return int(head.split()[1]), await self._reader.readexactly(int(headers[b"content-length"]))

    async def rest(self) -> bytes:
        """What comes until the server closes."""
        return await asyncio.wait_for(self._reader.read(), WITHIN)

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()

    def close(self) -> None:
        self._writer.close()


@dataclass
class Served:
    application: Application
    running: Server
    port: int
    opened: deque[Connection] = field(default_factory=deque)

    async def connect(self) -> Connection:
        connection = Connection(*await asyncio.open_connection("127.0.0.1", self.port))
        self.opened.append(connection)
        return connection

    async def when_the_time_is_over(self) -> None:
        """A request that began after all others has run out of time."""
        late = await self.connect()
        await late.send(b"GET / HT")
        assert (await late.answer())[0] == 408


@asynccontextmanager
async def serving(protocol: type[BoundedRequests] = BoundedRequests) -> AsyncIterator[Served]:
    application = Application()
    running = server(application)
    assert running.config.http is BoundedRequests
    running.config.http = protocol
    running.config.lifespan = "off"
    listening = listen("127.0.0.1", 0, "PORT")
    task = asyncio.create_task(running.serve(sockets=[listening]))
    await until(lambda: running.started, "the start of the server")
    served = Served(application, running, listening.getsockname()[1])
    try:
        yield served
    finally:
        application.let_go.set()
        for connection in served.opened:
            connection.close()
        running.should_exit = True
        await task


@pytest.fixture
async def patient() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


@pytest.fixture
async def impatient() -> AsyncIterator[Served]:
    async with serving(Impatient) as served:
        yield served


def head_of(size: int, start: bytes = b"GET / HTTP/1.1\r\nx: ") -> bytes:
    return start + b"a" * (size - len(start) - 4) + b"\r\n\r\n"


def many_headers(size: int) -> bytes:
    lines = b"".join(b"x-%05d: %s\r\n" % (number, b"a" * 89) for number in range(size // 100 - 1))
    return head_of(size, b"GET / HTTP/1.1\r\n" + lines + b"x: ")


async def too_long(connection: Connection) -> bool:
    """Whether the answer says so, and the connection ends with it."""
    status, sentence = await connection.answer()
    assert sentence.decode().endswith("Send fewer or shorter headers.")
    assert await connection.rest() == b""
    return status == 431


async def too_slow(connection: Connection) -> bool:
    status, sentence = await connection.answer()
    assert sentence.decode().endswith("Send it again, without pauses.")
    assert await connection.rest() == b""
    return status == 408


def test_the_bounds_are_these() -> None:
    assert (LONGEST_HEAD, PATIENCE, BoundedRequests.patience) == (65536, 60, 60)


@pytest.mark.parametrize("head", [head_of(LONGEST_HEAD), many_headers(LONGEST_HEAD)], ids=["one", "many"])
async def test_a_head_of_the_greatest_size_is_heard_and_one_byte_more_is_not(patient: Served, head: bytes) -> None:
    connection = await patient.connect()
    for _ in range(2):
        await connection.send(head)
        assert await connection.answer() == (200, b"0")
    await connection.send(head[:-4] + b"a" + head[-4:])
    assert await too_long(connection)
    assert patient.application.heard == ["/", "/"]


async def test_a_body_may_follow_a_head_of_the_greatest_size(patient: Served) -> None:
    connection = await patient.connect()
    body = b"b" * 3 * LONGEST_HEAD
    await connection.send(head_of(LONGEST_HEAD, b"POST / HTTP/1.1\r\ncontent-length: %d\r\nx: " % len(body)) + body)
    assert await connection.answer() == (200, b"%d" % len(body))


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nx", b"GET / HTTP/1.1\r\nx: ", b"\r\n"])
async def test_a_head_without_an_end_is_refused(patient: Served, start: bytes) -> None:
    connection = await patient.connect()
    await connection.send(start)
    piece = b"\r\n" * 512 if start == b"\r\n" else b"a" * 1024
    for _ in range(LONGEST_HEAD // len(piece)):
        await connection.send(piece)
    assert await too_long(connection)
    assert not patient.application.heard


async def test_headers_without_an_end_are_refused(patient: Served) -> None:
    connection = await patient.connect()
    await connection.send(many_headers(2 * LONGEST_HEAD)[:LONGEST_HEAD])
    assert await too_long(connection)


async def test_trailers_without_an_end_are_refused_and_the_application_hears_that_the_client_has_left(patient: Served) -> None:
    connection = await patient.connect()
    await connection.send(CHUNKED + b"1\r\na\r\n0\r\nx: ")
    await until(lambda: patient.application.heard == ["/"], "the request")
    await connection.send(b"a" * LONGEST_HEAD)
    assert await too_long(connection)
    await until(lambda: patient.application.left == ["/"], "the disconnect")


async def test_trailers_are_no_headers(patient: Served) -> None:
    connection = await patient.connect()
    await connection.send(CHUNKED + b"1\r\na\r\n0\r\nx-user-id: admin\r\n\r\n")
    assert await connection.answer() == (200, b"1")
    assert patient.application.headers == [{b"transfer-encoding": b"chunked"}]


async def test_a_head_too_long_writes_nothing_into_an_answer_that_is_on_its_way(patient: Served) -> None:
    connection = await patient.connect()
    await connection.send(HELD)
    await until(lambda: patient.application.heard == ["/held"], "the request")
    await connection.send(head_of(2 * LONGEST_HEAD)[:LONGEST_HEAD])
    assert (await connection.rest()).endswith(b"\r\n\r\nslow ")


async def test_requests_of_many_sizes_in_one_write_are_answered_in_their_order(patient: Served) -> None:
    connection = await patient.connect()
    sizes = [0, 1, 70_000, 0, LONGEST_HEAD, 300_000, 7] * 5
    for size in sizes:
        await connection.send(b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % size + b"b" * size)
    assert [await connection.answer() for _ in sizes] == [(200, b"%d" % size) for size in sizes]


async def test_small_chunks_have_no_greatest_number(patient: Served) -> None:
    connection = await patient.connect()
    for body in (CHUNKED + b"1\r\na\r\n" * LONGEST_HEAD + b"0\r\n\r\n", GET):
        await connection.send(body)
    assert [await connection.answer() for _ in range(2)] == [(200, b"65536"), (200, b"0")]


async def test_many_requests_on_one_connection_are_no_long_one(patient: Served) -> None:
    connection = await patient.connect()
    for _ in range(10):
        await connection.send(head_of(LONGEST_HEAD // 5))
        assert await connection.answer() == (200, b"0")


@pytest.mark.parametrize(
    "start", [b"G", b"GET / HTTP/1.1\r\nx: a", b"\r\n", b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nb", CHUNKED]
)
async def test_a_request_that_stops_is_ended(impatient: Served, start: bytes) -> None:
    connection = await impatient.connect()
    await connection.send(start)
    assert await too_slow(connection)


async def test_one_that_trickles_is_ended_too(impatient: Served) -> None:
    connection = await impatient.connect()

    async def trickle() -> None:
        await connection.send(CHUNKED)
        while True:
            await connection.send(b"1\r\na\r\n")
            await asyncio.sleep(Impatient.patience / 5)

    trickling = asyncio.create_task(trickle())
    try:
        assert await too_slow(connection)
    finally:
        trickling.cancel()
    await until(lambda: impatient.application.left == ["/"], "the disconnect")


async def test_the_second_request_of_a_connection_has_its_own_time(impatient: Served) -> None:
    connection = await impatient.connect()
    await connection.send(GET + GET[:5])
    assert await connection.answer() == (200, b"0")
    assert await too_slow(connection)


async def test_a_connection_that_says_nothing_is_closed(impatient: Served) -> None:
    assert await (await impatient.connect()).rest() == b""


async def test_one_that_is_slow_behind_its_answer_is_closed_without_a_word(impatient: Served) -> None:
    connection = await impatient.connect()
    await connection.send(b"POST /early HTTP/1.1\r\ncontent-length: 5\r\n\r\n")
    assert await connection.answer() == (200, b"no")
    assert await connection.rest() == b""


async def test_one_that_is_slow_when_its_answer_has_begun_is_closed_without_a_word(impatient: Served) -> None:
    connection = await impatient.connect()
    await connection.send(b"POST /begun HTTP/1.1\r\ncontent-length: 5\r\n\r\n")
    assert (await connection.rest()).endswith(b"\r\n\r\n")
    await until(lambda: impatient.application.left == ["/begun"], "the disconnect")


async def test_an_answer_may_take_longer_than_a_request(impatient: Served) -> None:
    connection = await impatient.connect()
    for part in (b"POST /held HTTP/1.1\r\ncontent-length: 1\r\n", b"\r\n", b"b"):
        await connection.send(part)
    await until(lambda: impatient.application.heard == ["/held"], "the request")
    await impatient.when_the_time_is_over()
    impatient.application.let_go.set()
    assert await connection.answer() == (200, b"slow end")
    await connection.send(GET)
    assert await connection.answer() == (200, b"0")


@pytest.mark.parametrize("start", [GET[:5], b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\n", b"\r\n"])
async def test_a_slow_request_behind_one_that_is_answered_lets_the_answer_end(impatient: Served, start: bytes) -> None:
    connection = await impatient.connect()
    await connection.send(HELD)
    await until(lambda: impatient.application.heard == ["/held"], "the request")
    await connection.send(start)
    await impatient.when_the_time_is_over()
    impatient.application.let_go.set()
    assert await connection.answer() == (200, b"slow end")
    assert await too_slow(connection)


async def test_a_body_that_the_application_leaves_unread_is_not_the_clients_fault(impatient: Served) -> None:
    connection = await impatient.connect()
    body = b"b" * 300_000
    sending = asyncio.create_task(connection.send(b"POST /unread HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body))
    await until(lambda: impatient.application.heard == ["/unread"], "the request")
    await impatient.when_the_time_is_over()
    impatient.application.let_go.set()
    await sending
    assert await connection.answer() == (200, b"300000")


async def test_the_time_of_a_request_does_not_run_on_behind_it(impatient: Served, caplog: pytest.LogCaptureFixture) -> None:
    connection = await impatient.connect()
    for part in (b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\n", b"b"):
        await connection.send(part)
        await until(lambda: impatient.application.heard == ["/"], "the request")
    assert await connection.answer() == (200, b"1")
    await impatient.when_the_time_is_over()
    await connection.send(GET)
    assert await connection.answer() == (200, b"0")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_no_timer_outlives_a_connection_that_was_reset_before_it_said_anything(patient: Served) -> None:
    connection = await patient.connect()
    await until(lambda: bool(patient.running.server_state.connections), "the connection")
    [protocol] = patient.running.server_state.connections
    assert isinstance(protocol, BoundedRequests)
    assert protocol.timeout_keep_alive_task is not None
    connection.reset()
    await until(lambda: not patient.running.server_state.connections, "the end of the connection")
    assert protocol.timeout_keep_alive_task is None


async def test_no_deadline_outlives_its_connection(impatient: Served) -> None:
    connection = await impatient.connect()
    await connection.send(CHUNKED)
    await until(lambda: impatient.application.heard == ["/"], "the request")
    [protocol] = impatient.running.server_state.connections
    assert isinstance(protocol, Impatient)
    connection.close()
    await until(lambda: not impatient.running.server_state.connections, "the end of the connection")
    assert protocol._deadline is not None and protocol._deadline.cancelled()
