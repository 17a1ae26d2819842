"""No child outlives the runner, even where the runner is killed with SIGKILL and can do nothing about it."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that the caller gets when its parent dies."""


def die_with_this_process() -> Callable[[], None] | None:
    """A `preexec_fn` after which the child gets SIGTERM when its parent dies. None where the system has no such thing
    (macOS): there, a killed runner leaves its children behind.

    The kernel takes "parent" to be the *thread* that forked, so children must be started from a thread that lives as
    long as they do: that of the event loop. A grandchild is not covered; a program that has children must end them.
    """
    if sys.platform != "linux":
        return None
    # Loaded here, because after a fork nothing may be loaded; PyDLL, because it does not touch the interpreter's lock.
    prctl = ctypes.PyDLL(None).prctl
    parent = os.getpid()

    def in_child() -> None:
        # Until exec the child has the runner's handler, which would swallow a SIGTERM sent between prctl and exec.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGTERM))
        if os.getppid() != parent:  # it died before prctl, and no signal will come
            os._exit(1)

    return in_child
