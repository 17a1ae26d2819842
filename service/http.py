"""Serve an ASGI application with uvicorn on its fast parts (uvloop, httptools), until SIGTERM or SIGINT."""

import errno
import logging
import socket
from typing import Any

import uvicorn

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
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", log_config=None, access_log=False, timeout_graceful_shutdown=GRACE
    )
    return uvicorn.Server(config)


def serve(app: Any, host: str, port: int, variable: str) -> None:
    server(app).run(sockets=[listen(host, port, variable)])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
