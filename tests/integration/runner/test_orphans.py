import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from runner.orphans import die_with_this_process
from tests.integration.runner.programs import runs, until

pytestmark = pytest.mark.anyio

RUNNER = """
import asyncio
from tests.integration.runner.programs import Seen

async def main():
    seen = Seen()
    async with seen.supervisor() as supervisor:
        for name in ("one", "two"):
            await supervisor.start(seen.program(name))
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


@pytest.fixture
def runner() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", RUNNER], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


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


@pytest.mark.parametrize("times", [1, 2])
async def test_an_interrupted_runner_without_handlers_leaves_no_orphan(runner: subprocess.Popen[str], times: int) -> None:
    pids = pids_of(runner)
    for _ in range(times):
        os.kill(runner.pid, signal.SIGINT)
    await until(lambda: not any(runs(pid) for pid in pids), "both are gone")


def test_a_child_whose_parent_died_before_it_could_ask_does_not_start() -> None:
    done = subprocess.run([sys.executable, "-c", PARENT_DIES_BEFORE_PRCTL], capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_other_systems_get_no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert die_with_this_process() is None
