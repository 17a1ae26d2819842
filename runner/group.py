"""Process groups: a program together with whatever it has started."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path


def send(group: int, number: signal.Signals) -> None:
    """Sends a signal to every member; to none, if there are none. macOS says EPERM where only zombies are left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def is_alive(group: int) -> bool:
    """Whether a member still runs. A zombie does not: in a container, init may reap it late or never."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return sys.platform != "linux" or any(_runs_in(group, stat) for stat in Path("/proc").glob("[0-9]*/stat"))


def _runs_in(group: int, stat: Path) -> bool:
    """Reads proc_pid_stat(5): the state, parent and group follow the name, which is in parentheses and may hold any."""
    try:
        state, _, member_of = stat.read_bytes().rpartition(b")")[2].split()[:3]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(member_of) == group and state not in (b"Z", b"X")
