"""One running system per state folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyRunningError(Exception):
    """Another system runs on the same state folder; the text names it and the remedy."""


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Holds `<folder>/lock`, which then contains this process's id. Raises AlreadyRunningError where another holds it.

    The kernel lets go when the process ends, however it ends, so a lock file that is left behind locks nobody out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The file is never removed: whoever removes it may remove the one that a third process has just locked.
    with (folder / "lock").open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(_refusal(folder, _holder(folder))) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def is_held(folder: Path) -> bool:
    """Whether a system runs on the folder, starts or stops there."""
    try:
        with (folder / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _holder(folder: Path) -> int | None:
    """None in the moment between another's lock and its writing of the id."""
    text = (folder / "lock").read_text(encoding="ascii").strip()
    return int(text) if text.isdigit() else None


def _refusal(folder: Path, holder: int | None) -> str:
    held, stop = (f"by process {holder}", f"kill {holder}") if holder else ("by another process", "Ctrl-C there")
    return f"A system already runs on {folder}, held {held}: stop it ({stop}), or use another state folder."
