import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from runner.orphans import die_with_this_process
from tests.integration.runner.programs import IGNORES_SIGTERM, SLEEPS, runs, until

pytestmark = pytest.mark.anyio

RUNNER = """
import asyncio, signal, sys
from runner.starting import Patience
from tests.integration.runner.programs import Seen

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `make test &` has it ignored

class Aloud(Seen):
    def sink(self, name, line):
        super().sink(name, line)
        if line == "asked":
            print(line, flush=True)

async def main():
    seen = Aloud()
    async with seen.supervisor(Patience(stop=600)) as supervisor:
        for name in ("one", "two"):
            await supervisor.start(seen.program(name, sys.argv[1]))
        print(supervisor.pid_of("one"), supervisor.pid_of("two"), flush=True)
        await supervisor.wait()

asyncio.run(main())
"""

PARENT_DIES_BEFORE_PRCTL = """
import os
from runner.orphans import die_with_this_process

dies_with_parent = die_with_this_process()
read, write = os.pipe()
parent = os.getpid()
if os.fork() == 0:
    os.close(write)
    os.read(read, 1)  # returns when the parent has closed it by dying
    while os.getppid() == parent:
        pass
    dies_with_parent()
    print("survived", flush=True)
os._exit(0)
"""


@contextmanager
def running(source: str) -> Iterator[subprocess.Popen[str]]:
    """A runner of two such programs, which prints their process ids, and then `asked` whenever they do."""
    command = [sys.executable, "-c", RUNNER, source]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def runner() -> Iterator[subprocess.Popen[str]]:
    with running(SLEEPS) as process:
        yield process


@pytest.fixture
def runner_of_the_stubborn() -> Iterator[subprocess.Popen[str]]:
    with running(IGNORES_SIGTERM) as process:
        yield process


def pids_of(runner: subprocess.Popen[str]) -> list[int]:
    assert runner.stdout
    pids = [int(pid) for pid in runner.stdout.readline().split()]
    assert len(pids) == 2
    assert all(runs(pid) for pid in pids)
    return pids


async def test_a_killed_runner_leaves_no_orphan(runner: subprocess.Popen[str]) -> None:
    pids = pids_of(runner)
    os.kill(runner.pid, signal.SIGKILL)
    await until(lambda: not any(runs(pid) for pid in pids), "both are gone")


async def test_an_interrupted_runner_without_handlers_leaves_no_orphan(runner: subprocess.Popen[str]) -> None:
    pids = pids_of(runner)
    os.kill(runner.pid, signal.SIGINT)
    await until(lambda: not any(runs(pid) for pid in pids), "both are gone")


async def test_a_second_interrupt_kills_what_ignored_the_first(runner_of_the_stubborn: subprocess.Popen[str]) -> None:
    runner = runner_of_the_stubborn
    pids = pids_of(runner)
    os.kill(runner.pid, signal.SIGINT)
    assert runner.stdout
    assert runner.stdout.readline() == "asked\n"
    os.kill(runner.pid, signal.SIGINT)
    try:
        await until(lambda: not any(runs(pid) for pid in pids), "both are gone")
    finally:
        for pid in filter(runs, pids):
            os.kill(pid, signal.SIGKILL)


def test_a_child_whose_parent_died_before_it_could_ask_does_not_start() -> None:
    done = subprocess.run([sys.executable, "-c", PARENT_DIES_BEFORE_PRCTL], capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_other_systems_get_no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert die_with_this_process() is None
