import os
import signal
import subprocess
import sys

from runner import group
from tests.integration.runner.programs import SLEEPS


def test_a_group_of_zombies_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", SLEEPS], start_new_session=True, stdout=subprocess.DEVNULL)
    assert group.is_alive(process.pid)
    group.send(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays a zombie
    assert not group.is_alive(process.pid)
    process.wait()
    assert not group.is_alive(process.pid)


def test_a_signal_to_a_group_that_is_gone_is_no_error() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    process.wait()
    group.send(process.pid, signal.SIGTERM)
