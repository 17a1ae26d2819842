"""The token that says whose agent this is: given in a variable, or in a file that somebody renews."""

import logging
from pathlib import Path

from agents.identity import read_identity

log = logging.getLogger(__name__)

LARGEST = 64 * 1024
"""Bytes that are read of a file; a token that would not fit into a request's headers is none."""


class Token:
    """`file` is read again whenever it has changed, and stays in charge: `value` is what it held when it was last good."""

    def __init__(self, value: str, file: Path | None = None) -> None:
        self._value = value
        self._file = file
        self._seen = _stamp(file)

    def current(self) -> str:
        if self._file and _stamp(self._file) != self._seen:
            self.renew()
        return self._value

    def renew(self) -> None:
        """Reads the file, whether it seems to have changed or not."""
        if self._file is None:
            return
        self._seen = _stamp(self._file)
        try:
            value = read_token(self._file)
            if read_identity(value).team != read_identity(self._value).team:
                raise ValueError(f"{self._file} holds another team's token, which only a restart takes up")
        except ValueError as error:
            log.warning("LLM_JWT_FILE cannot be used, and the token from before is kept: %s.", error)
            return
        if value != self._value:
            log.info("LLM_JWT_FILE holds a new token.")
        self._value = value


def read_token(file: Path) -> str:
    """Raises ValueError, in words that do not quote the token."""
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST)
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    token = content.decode("ascii", "replace").strip()
    try:
        read_identity(token)
    except ValueError as error:
        raise ValueError(f"{file} holds no token of a team: {error}") from None
    return token


def _stamp(file: Path | None) -> tuple[int, int, int] | None:
    """What tells one state of the file from another. Kubernetes renews a mounted Secret by moving a link: another inode."""
    if file is None:
        return None
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
