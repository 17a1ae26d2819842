"""One program kept running: started, and started again when it dies, as often as the policy allows."""

import asyncio
from collections.abc import Callable
from subprocess import SubprocessError

from runner.errors import GaveUp, StartError
from runner.output import Sink
from runner.process import Process, Program
from runner.restart import RestartPolicy, Restarts
from runner.starting import Patience, wait_until_healthy

Say = Callable[[str], None]
"""Takes one line that the runner has to say."""


class Keeper:
    """Says when the program has died, and when it is back."""

    def __init__(self, program: Program, sink: Sink, say: Say, policy: RestartPolicy, patience: Patience) -> None:
        self.program = program
        self.process: Process | None = None
        """Its latest run, which may have ended; None before the first."""
        self._sink = sink
        self._say = say
        self._policy = policy
        self._patience = patience

    async def start(self) -> Process:
        """Returns when it is healthy. Raises StartError, and then it does not run; if cancelled, it may."""
        try:
            self.process = process = await Process.start(self.program, self._sink)
        except (OSError, SubprocessError) as error:
            raise StartError(f"{self.program.name} cannot be run: {error}") from error
        try:
            await wait_until_healthy(self.program, process, self._patience)
        except StartError:
            await process.stop(self._patience.stop)
            raise
        return process

    async def keep(self, process: Process) -> None:
        """Restarts it until the policy says otherwise, then raises GaveUp."""
        name, restarts = self.program.name, Restarts(self._policy)
        what, last_words = f"{name} {await process.wait()}", process.last_words
        while restart := restarts.another():
            self._say(f"{what}; restarting ({restart.number} of {restart.of})")
            await asyncio.sleep(restart.after)
            try:
                process = await self.start()
            except StartError as error:
                what, last_words = error.what, error.last_words
                continue
            restarts.came_back()
            self._say(f"{name} is back")
            what, last_words = f"{name} {await process.wait()}", process.last_words
        given_up = f"{what}. It is given up after {self._policy.restarts} restarts, and the whole system is stopped"
        raise GaveUp(given_up, last_words)
