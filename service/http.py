"""Serve an ASGI application with uvicorn on its fast parts (uvloop, httptools), until SIGTERM or SIGINT."""

import asyncio
import contextlib
import errno
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
import uvloop

from service.requests import BoundedRequests

log = logging.getLogger("service")

GRACE = 20
"""Seconds that running requests get after SIGTERM; a pod has 30 before it is killed."""


def listen(host: str, port: int, variable: str) -> socket.socket:
    """A listening socket. Raises SystemExit, naming the variable to change, where the address cannot be had."""
    try:
        listening = socket.create_server((host, port), backlog=2048, family=_family(host))
    except OSError as error:
        reason = "the port is in use" if error.errno == errno.EADDRINUSE else error.strerror
        raise SystemExit(f"Cannot listen on {host}:{port}: {reason}. Set {variable} to an address that is free.") from None
    log.info("listens on http://%s:%s", host, port)
    return listening


def server(app: Any) -> uvicorn.Server:
    return uvicorn.Server(_config(app))


def serve_until_signal(app: Any, listening: socket.socket, on_stop: Callable[[], object]) -> None:
    """One application, as `serve_together` serves it."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_together((app, listening), on_stop=on_stop))


class _Server(uvicorn.Server):
    """Leaves the signals alone: uvicorn raises one anew when it has ended, and whoever has work left would not get to it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_together(*apps: tuple[Any, socket.socket], on_stop: Callable[[], object] = lambda: None) -> None:
    """Several applications, each on its own socket, until SIGTERM or SIGINT. Then all of them end, and it returns.

    `on_stop` is called at the signal. ASGI tells nobody of it: its shutdown event comes once the last request has ended.
    """
    servers = [_Server(_config(app)) for app, _ in apps]

    def stop() -> None:
        for each in servers:
            each.should_exit = True
        on_stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await asyncio.gather(*(each.serve([listening]) for each, (_, listening) in zip(servers, apps, strict=True)))


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedRequests,
        # Nothing here speaks WebSocket, and a request for one would leave the bounds.
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE,
        # By default uvicorn takes a local caller's word for where it calls from.
        proxy_headers=False,
    )


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
