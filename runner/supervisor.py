"""The system's processes: started one after the other, kept running within bounds, and stopped together."""

import asyncio
import signal
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from runner.errors import StoppedError
from runner.keeper import Keeper, Say
from runner.output import Sink
from runner.process import Program
from runner.restart import RestartPolicy
from runner.starting import Patience

FIVE_A_MINUTE = RestartPolicy()
PATIENCE = Patience()


@dataclass(frozen=True)
class _Kept:
    keeper: Keeper
    ready: asyncio.Future[None]
    task: asyncio.Task[None]


class Supervisor:
    """Runs programs until it is asked to stop, or has to give up. Use it with `async with`, which leaves none behind.

    `sink` takes each line that a program writes, `say` each line that the supervisor has to say.
    """

    def __init__(self, sink: Sink, say: Say, policy: RestartPolicy = FIVE_A_MINUTE, patience: Patience = PATIENCE) -> None:
        self._sink = sink
        self._say = say
        self._policy = policy
        self._patience = patience
        self._kept: dict[str, _Kept] = {}
        self._stopping: asyncio.Task[None] | None = None
        self._stop_begun = asyncio.Event()
        self._failure: Exception | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, program: Program) -> None:
        """Returns when it is healthy. Whatever is raised, everything is stopped before: StartError where it does not
        come up, StoppedError where a stop is asked for meanwhile, GaveUp where another program died too often."""
        if self._stopping:
            raise self._failure or StoppedError(program.name)
        if program.name in self._kept:
            raise ValueError(f"There is a program named {program.name} already: give each one a name of its own.")
        keeper = Keeper(program, self._sink, self._say, self._policy, self._patience)
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._kept[program.name] = _Kept(keeper, ready, asyncio.create_task(self._keep(keeper, ready)))
        try:
            await asyncio.wait({ready})  # unlike `await ready`, leaves it whole where this is cancelled
            ready.result()
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> None:
        """Returns when a stop is asked for. Raises GaveUp, once all is stopped, where a program died too often."""
        await self._stop_begun.wait()
        if self._failure:
            await self.stop()
            raise self._failure

    def request_stop(self) -> None:
        """For `loop.add_signal_handler`: begins to stop; where that has begun, kills what is left."""
        if self._stopping:
            self._hurry()
        else:
            self._begin_to_stop()

    async def stop(self) -> None:
        """Stops all in the reverse order of start, and returns when none is left. If cancelled, kills what is left."""
        stopping = self._begin_to_stop()
        cancelled = False
        while not stopping.done():
            try:
                await asyncio.wait({stopping})
            except asyncio.CancelledError:
                cancelled = True
                self._hurry()
        if cancelled:
            raise asyncio.CancelledError
        stopping.result()

    def pid_of(self, name: str) -> int:
        """The process id of its latest run. Raises KeyError where there was none."""
        process = self._kept[name].keeper.process
        if process is None:
            raise KeyError(name)
        return process.pid

    async def _keep(self, keeper: Keeper, ready: asyncio.Future[None]) -> None:
        try:
            process = await keeper.start()
        except Exception as error:
            ready.set_exception(error)
            return
        ready.set_result(None)
        try:
            await keeper.keep(process)
        except Exception as error:
            self._failure = error
            self._begin_to_stop()

    def _begin_to_stop(self) -> asyncio.Task[None]:
        if self._stopping is None:
            self._stop_begun.set()
            for kept in self._kept.values():
                kept.task.cancel()
            self._stopping = asyncio.create_task(self._stop_all())
        return self._stopping

    async def _stop_all(self) -> None:
        try:
            await asyncio.gather(*(kept.task for kept in self._kept.values()), return_exceptions=True)
            for kept in self._kept.values():
                if not kept.ready.done():
                    kept.ready.set_exception(self._failure or StoppedError(kept.keeper.program.name))
                kept.ready.exception()  # now it counts as seen, should its `start` have been cancelled
            for kept in reversed(self._kept.values()):
                await self._stop(kept.keeper)
        except asyncio.CancelledError:  # the event loop is closing
            self._kill_all()
            raise

    async def _stop(self, keeper: Keeper) -> None:
        process = keeper.process
        if process is None:
            return
        ended_before = process.has_ended
        ending = await process.stop(self._patience.stop)
        if ending.returncode == -signal.SIGKILL and not ended_before:
            self._say(f"{keeper.program.name} {ending}")

    def _hurry(self) -> None:
        if self._stopping and not self._stopping.done():
            self._say("stopping at once")
            self._kill_all()

    def _kill_all(self) -> None:
        for kept in self._kept.values():
            if kept.keeper.process:
                kept.keeper.process.kill()
