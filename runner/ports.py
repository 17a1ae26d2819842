"""Ports of 127.0.0.1 for programs that listen a moment later, so that two systems on one machine never choose the same."""

import fcntl
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

FIRST, LAST = 20_000, 29_999
"""Below the ports that Linux (32768) and macOS (49152) hand to outgoing connections, which no lock could keep away."""


class NoPortError(Exception):
    """No port can be had; the text says why and what to do."""


class Ports:
    """Takes ports and keeps them from every other `Ports` on this machine until `close`, or until the process ends.

    A port that is free now may be taken before its program listens, so each one is guarded by a locked file.
    """

    def __init__(self, first: int = FIRST, last: int = LAST, folder: Path | None = None) -> None:
        self._range = range(first, last + 1)
        self._folder = folder or Path(tempfile.gettempdir()) / "agentic-budgets-ports"
        self._guards: list[int] = []

    def take(self, preferred: int | None = None) -> int:
        """The preferred port if it is free, else another one: compare, to know which. Raises NoPortError."""
        self._open_folder()
        wanted = () if preferred is None else (preferred,)
        for port in chain(wanted, self._candidates()):
            if self._guard(port):
                return port
        raise NoPortError(
            f"No port of 127.0.0.1 from {self._range.start} to {self._range.stop - 1} is free: "
            "stop some of the programs that use them, or choose another range."
        )

    def close(self) -> None:
        while self._guards:
            os.close(self._guards.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _candidates(self) -> Iterator[int]:
        """The whole range, from a place that differs from process to process: a client of a system that has just
        stopped should not find the next system behind its old port."""
        start = os.getpid() * 31 % len(self._range) if self._range else 0
        return chain(self._range[start:], self._range[:start])

    def _guard(self, port: int) -> bool:
        try:
            guard = _open_shared(self._folder / f"{port}.lock")
        except PermissionError:  # another user is creating it at this moment
            return False
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(guard)
            return False
        if not _is_free(port):
            os.close(guard)
            return False
        self._guards.append(guard)
        return True

    def _open_folder(self) -> None:
        shared = 0o1777  # any user may add a file, nobody may remove another's
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            found = self._folder.stat()
            if found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) != shared:
                self._folder.chmod(shared)
            if not os.access(self._folder, os.W_OK | os.X_OK):
                raise PermissionError(13, "it is not writable")
        except OSError as error:
            raise NoPortError(
                f"The folder of port locks {self._folder} cannot be used ({error.strerror}): "
                "remove it, or set TMPDIR to a folder you may write to."
            ) from error


def _open_shared(path: Path) -> int:
    """A descriptor that can be locked. Reading suffices for flock, so a file that another user made serves as well; and
    Linux refuses O_CREAT on another user's file in a sticky folder (fs.protected_regular), so it is not always given."""
    while True:
        try:
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            pass
        try:
            created = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            continue
        os.fchmod(created, 0o644)  # whatever the umask says
        return created


def _is_free(port: int) -> bool:
    """Whether a server could listen there now, asked the way our servers do (SO_REUSEADDR)."""
    if port not in range(1, 65_536):
        return False
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
