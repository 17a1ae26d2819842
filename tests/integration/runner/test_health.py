import http.server
import threading
from collections.abc import Iterator

import pytest

from runner.health import http_ok
from runner.ports import Ports

pytestmark = pytest.mark.anyio


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 503)
        body = f"the store\n is away {'x' * 1000}".encode()
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass


@pytest.fixture
def server() -> Iterator[int]:
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served.server_port
        served.shutdown()
        thread.join()


@pytest.fixture
def nobody() -> Iterator[int]:
    with Ports() as ports:
        yield ports.take()


async def test_http_is_up_when_it_answers_2xx(server: int) -> None:
    assert await http_ok(f"http://127.0.0.1:{server}/healthz").check()


async def test_http_is_not_up_while_it_answers_503(server: int) -> None:
    assert not await http_ok(f"http://127.0.0.1:{server}/not-yet").check()


async def test_http_is_not_up_where_nobody_listens(nobody: int) -> None:
    assert not await http_ok(f"http://127.0.0.1:{nobody}/healthz").check()


async def test_http_does_not_ask_a_proxy(server: int, nobody: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{nobody}")
    assert await http_ok(f"http://127.0.0.1:{server}/healthz").check()


def test_what_is_waited_for_is_named() -> None:
    assert http_ok("http://127.0.0.1:1/healthz").waits_for == "http://127.0.0.1:1/healthz to answer 2xx"


async def test_the_last_refusal_is_remembered_in_one_short_line(server: int) -> None:
    health = http_ok(f"http://127.0.0.1:{server}/not-yet")
    assert health.answered() == ""
    await health.check()
    assert health.answered() == f"503: the store is away {'x' * 300}"[: len("503: ") + 300]


async def test_a_refusal_is_forgotten_where_nobody_listens_any_more() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as served:
        health = http_ok(f"http://127.0.0.1:{served.server_port}/not-yet")
        thread = threading.Thread(target=served.handle_request)
        thread.start()
        await health.check()
        thread.join()
        assert health.answered()
    await health.check()
    assert health.answered() == ""
