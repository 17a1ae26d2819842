"""The moment of SIGTERM, which ASGI tells nobody: its shutdown event comes only after the last request has ended."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType

GRACE = 15
"""Seconds for running tasks. The server waits 20 for its connections and kagent 30 for the pod, so callers are told in time."""


def on_sigterm(begin: Callable[[], object]) -> None:
    """Calls `begin` in the running loop at SIGTERM, and the server's own handler as ever; without a server, nothing."""
    server = signal.getsignal(signal.SIGTERM)
    if not callable(server) or threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(begin)
        server(number, frame)

    signal.signal(signal.SIGTERM, handle)
