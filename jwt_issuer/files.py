"""Files that hold a secret: mode 0600 from their first byte on, and there whole or not at all."""

import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PRIVATE = 0o600
PUBLIC = 0o644
PATIENCE = 5.0
"""Seconds."""


def private_folder(path: Path) -> Path:
    """The folder, with mode 0700, created if need be."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def replace_file(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Create or replace the file, on disk for good; whoever reads it meanwhile has the old content or the new."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    written = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
            os.fchmod(descriptor, mode)
        written.replace(path)
    finally:
        written.unlink(missing_ok=True)
    _sync_folder(path.parent)


@contextmanager
def locked(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """One process at a time; the lock goes with it, however it ends. Raises TimeoutError after `patience` seconds."""
    deadline = time.monotonic() + patience
    with path.open("wb") as file:
        while not try_lock(file):
            if time.monotonic() > deadline:
                raise TimeoutError(errno.ETIMEDOUT, "another process has held the lock for too long", str(path))
            time.sleep(0.02)
        yield


def try_lock(file: BinaryIO) -> bool:
    """Whether the lock is this file object's now, until it is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
