"""A service as a real process on a free port, for the length of a `with` block."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

PATIENCE = 30
"""Seconds until a service that does not answer is called broken."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def a_process(module: str, *arguments: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """The module, started with this environment in place of any of its own prefix; killed, if it still runs, at the end."""
    prefix = module.upper() + "_"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(prefix)}
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], env=inherited | environment, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until_healthy(process: "subprocess.Popen[str]", url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        try:
            if httpx.get(f"{url}/healthz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise AssertionError(f"{url} was not healthy within {PATIENCE} s.")


@contextmanager
def serving(module: str, **environment: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The running service and its base URL, once it is healthy."""
    port = free_port()
    with a_process(module, **environment | {f"{module.upper()}_PORT": str(port)}) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until_healthy(process, url)
        yield process, url
