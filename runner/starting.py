"""A program's start: until it is healthy, until it has ended, or until patience does."""

import asyncio
from dataclasses import dataclass

from runner.errors import StartError
from runner.health import Health
from runner.process import Process, Program


@dataclass(frozen=True)
class Patience:
    """Seconds: how long a program may take to become healthy and, after SIGTERM, to end; how often health is asked."""

    start: float = 30.0
    stop: float = 5.0
    poll: float = 0.025


async def wait_until_healthy(program: Program, process: Process, patience: Patience) -> None:
    """Raises StartError if it ends first, or is not healthy within `patience.start` seconds; then it still runs."""
    ending = asyncio.create_task(process.wait())
    healthy = asyncio.create_task(poll(program.health, patience.poll))
    try:
        await asyncio.wait({ending, healthy}, timeout=patience.start, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ending.cancel()
        healthy.cancel()
        await asyncio.gather(ending, healthy, return_exceptions=True)
    waited_for = f"the runner waited for {program.health.waits_for}"
    if answered := program.health.answered():
        waited_for += f" (it last answered {answered.rstrip(' .:')})"
    if not ending.cancelled():
        raise StartError(f"{program.name} {ending.result()} while {waited_for}", process.last_words)
    if healthy.cancelled():
        late = f"{program.name} did not become healthy within {patience.start:g} s: {waited_for}"
        raise StartError(late, process.last_words)
    healthy.result()


async def poll(health: Health, every: float = 0.05) -> None:
    """Returns when it is healthy."""
    while True:
        if await health.check():
            return
        await asyncio.sleep(every)
