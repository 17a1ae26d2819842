"""Small real programs, and what is seen of them."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from runner.health import Health
from runner.process import Program
from runner.restart import RestartPolicy
from runner.starting import Patience
from runner.supervisor import Supervisor

SLEEPS = "import time; print('up', flush=True); time.sleep(600)"
IGNORES_SIGTERM = f"import signal; signal.signal(15, lambda *_: print('asked', flush=True)); {SLEEPS}"
HAS_A_CHILD = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {SLEEPS!r}]).pid); {SLEEPS}"
AT_ONCE = RestartPolicy(restarts=2, backoff=lambda _: 0.0)


class Seen:
    """Records what a supervisor passes on and says."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.said: list[str] = []

    def sink(self, name: str, line: str) -> None:
        self.lines.append((name, line))

    def of(self, name: str) -> list[str]:
        return [line for writer, line in self.lines if writer == name]

    def program(self, name: str, source: str = SLEEPS) -> Program:
        """A Python program; it is healthy whenever a run of it has written `up` that no earlier question has seen."""
        counted = 0

        async def is_up() -> bool:
            nonlocal counted
            before, counted = counted, self.of(name).count("up")
            return counted > before

        return Program(name, (sys.executable, "-c", source), dict(os.environ), Health(is_up, "it to say 'up'"))

    def supervisor(self, patience: Patience | None = None) -> Supervisor:
        return Supervisor(self.sink, self.said.append, AT_ONCE, patience or Patience(start=20, stop=10))


def runs(pid: int) -> bool:
    """Whether it is there and no zombie, which init may leave for a while."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    try:
        return "State:\tZ" not in status.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return not Path("/proc/self").exists()


async def until(condition: Callable[[], object], what: str, within: float = 20) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"Not within {within} s: {what}"
        await asyncio.sleep(0.01)
