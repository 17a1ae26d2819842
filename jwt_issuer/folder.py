"""The stores on one machine: `<state>/keys/ring.json`, `<state>/tokens/<sub>.jwt` and `<state>/jwks.json`."""

import errno
import logging
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from jwt_issuer.files import PUBLIC, locked, private_folder, replace_file, try_lock
from jwt_issuer.keys.document import WrongRingError, read_ring, write_ring
from jwt_issuer.keys.ring import KeyRing
from jwt_issuer.stores import StoreError

logger = logging.getLogger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class KeyFolder:
    """A KeyStore. The file is one that no other user can read, or it is refused."""

    state: Path

    @property
    def path(self) -> Path:
        return self.state / "keys" / "ring.json"

    def read(self) -> KeyRing | None:
        remedy = "Restore it, or delete it to get a new key (which makes every token signed so far invalid)."
        try:
            others = stat.S_IMODE(self.path.stat().st_mode) & 0o077
            document = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except NotADirectoryError as error:
            raise _cannot_use(error, self.path) from None
        except OSError as error:
            raise StoreError(f"The keys in {self.path} cannot be read: {error.strerror}. {remedy}") from None
        if others:
            raise StoreError(
                f"The keys in {self.path} are open to other users. Run `chmod 600 {self.path}`, or delete the file."
            )
        try:
            return read_ring(document)
        except WrongRingError as error:
            raise StoreError(f"The file {self.path} {error}. {remedy}") from None

    def update(self, change: Callable[[KeyRing | None], KeyRing]) -> KeyRing:
        with _named_errors(self.path):
            folder = private_folder(self.path.parent)
            with locked(folder / ".lock"):
                self._remove_half_written(folder)
                before = self.read()
                after = change(before)
                if after is not before:
                    replace_file(self.path, write_ring(after))
                return after

    def _remove_half_written(self, folder: Path) -> None:
        """What a writer left that was killed, for it holds keys. Nobody else writes meanwhile."""
        for path in folder.glob(f".{self.path.name}.*.tmp"):
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class TokenFolder:
    """A TokenStore: a token is the whole of its file, without a line end, for clients put all of it behind `Bearer `."""

    state: Path

    @property
    def folder(self) -> Path:
        return self.state / "tokens"

    def token(self, sub: str) -> str | None:
        try:
            return (self.folder / f"{sub}.jwt").read_text(encoding="ascii")
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        except OSError as error:
            raise _cannot_use(error, self.folder) from None

    def put(self, sub: str, team: str, token: str) -> None:
        with _named_errors(self.folder):
            replace_file(private_folder(self.folder) / f"{sub}.jwt", token.encode())

    def keep_only(self, subs: frozenset[str]) -> None:
        with _named_errors(self.folder):
            for path in self.folder.glob("*.jwt"):
                if path.stem not in subs:
                    path.unlink(missing_ok=True)

    def publish(self, key_set: bytes) -> None:
        """For a gateway that reads its keys from a file."""
        path = self.state / "jwks.json"
        with _named_errors(path):
            if not path.exists() or path.read_bytes() != key_set:
                replace_file(path, key_set, PUBLIC)


class FolderLeadership:
    """A Leadership: of several issuers on one folder the one that has the lock of `<state>/.serving` writes the tokens."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._held: BinaryIO | None = None
        self._waits = False

    @property
    def holds(self) -> bool:
        return self._held is not None

    def leads(self) -> bool:
        if self._held is None:
            path = self._state / ".serving"
            with _named_errors(path):
                file = path.open("wb")
            if try_lock(file):
                self._held = file
            else:
                file.close()
                if not self._waits:
                    logger.warning(
                        "Another issuer writes the tokens in %s, until it ends. This one serves the keys.", self._state
                    )
                self._waits = True
        return self.holds

    def release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """The error names the path where the system names none, as where the disk is full."""
    try:
        yield
    except OSError as error:
        raise _cannot_use(error, path) from None


def _cannot_use(error: OSError, path: Path) -> StoreError:
    remedy = "Make room there" if error.errno in _FULL else "Name a place that this user may read and write"
    return StoreError(f"{error.filename or path}: {error.strerror}. {remedy}.")
