"""Keeps the clients equal to their file: a good edit holds from the next request on, a bad one is refused and said."""

import asyncio
import logging
from pathlib import Path

from jwt_issuer.oauth.clients import Clients, ClientsError, Terms, read_clients

logger = logging.getLogger(__name__)

_Stamp = tuple[int, int, int, int] | None


class ClientFile:
    """Raises ClientsError where the file is wrong from the start."""

    def __init__(self, path: Path, terms: Terms) -> None:
        self._path = path
        self._terms = terms
        self._reading = asyncio.Lock()
        # The stamp first: an edit between the two is then read once more, and not missed.
        self._seen = _stamp(path)
        self._clients = read_clients(path, terms)

    async def current(self) -> Clients:
        """Those of the file as it is, or as it was when it was last good."""
        if _stamp(self._path) != self._seen:
            # One reads, in a thread, for a long list takes a while; whoever comes meanwhile waits for what it says.
            async with self._reading:
                if (stamp := _stamp(self._path)) != self._seen:
                    await asyncio.to_thread(self._read)
                    self._seen = stamp
        return self._clients

    def _read(self) -> None:
        try:
            self._clients = read_clients(self._path, self._terms)
        except ClientsError as error:
            logger.error("The clients stay as they were: %s", error)
        else:
            logger.info("Took up %s, which has %d clients.", self._path, len(self._clients))


def _stamp(path: Path) -> _Stamp:
    """What tells one state of the file from another. Kubernetes renews a mounted Secret by moving a link: another inode."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size
