"""One program as a child process: started, listened to, and stopped with everything it has started itself."""

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from runner import group
from runner.health import Health
from runner.orphans import die_with_this_process
from runner.output import Output, Sink

KILLED = 2.0
"""Seconds after SIGKILL within which the kernel should have ended a group."""


@dataclass(frozen=True)
class Program:
    """What to run. `environment` is all that the process gets, nothing is inherited; it may hold tokens, so no repr
    shows it."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    health: Health


@dataclass(frozen=True)
class Ending:
    """How a process ended, from its return code: that of `subprocess`, negative for a signal."""

    returncode: int

    def __str__(self) -> str:
        if self.returncode >= 0:
            return f"ended with exit code {self.returncode}"
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-self.returncode).name}"
        return f"was ended by signal {-self.returncode}"


class Process:
    """One run of a program, in a session and process group of its own: a Ctrl-C in the terminal reaches the runner
    only, and a signal to the group reaches everything the program has started."""

    def __init__(self, child: asyncio.subprocess.Process, output: Output) -> None:
        self._child = child
        self._output = output
        self._gone = False

    @classmethod
    async def start(cls, program: Program, sink: Sink) -> Self:
        """Raises OSError where the command cannot be run."""
        output = Output(program.name, sink)
        writing = await output.connect()
        try:
            child = await asyncio.create_subprocess_exec(
                *program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=dict(program.environment),
                start_new_session=True,
                preexec_fn=die_with_this_process(),
            )
        except BaseException:
            output.close()
            raise
        finally:
            os.close(writing)
        return cls(child, output)

    @property
    def pid(self) -> int:
        """Also the id of its process group."""
        return self._child.pid

    @property
    def has_ended(self) -> bool:
        return self._child.returncode is not None

    @property
    def last_words(self) -> tuple[str, ...]:
        """The last lines it wrote, 20 at most, long ones cut."""
        return self._output.last_words

    async def wait(self) -> Ending:
        """Waits until it ends by itself. What it leaves running is killed, and its output is read to the end."""
        returncode = await self._child.wait()
        self.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(KILLED):
                await self._group_is_gone()
        await self._output.ended(within=1.0)
        return Ending(returncode)

    async def stop(self, grace: float) -> Ending:
        """SIGTERM to the group; SIGKILL after `grace` seconds, or at once if this is cancelled. Waits for all of it."""
        self._send(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await self._group_is_gone()
        except TimeoutError:
            pass
        finally:
            self.kill()
        return await self.wait()

    def kill(self) -> None:
        """SIGKILL to the group."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if not self._gone:  # once it is, the system may give the id to somebody else's group
            group.send(self.pid, number)

    async def _group_is_gone(self) -> None:
        await self._child.wait()
        while group.is_alive(self.pid):  # noqa: ASYNC110 - the kernel tells nobody when a group becomes empty
            await asyncio.sleep(0.01)
        self._gone = True
