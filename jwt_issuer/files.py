"""Files that hold a secret: mode 0600 from their first byte on, and there whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def private_folder(path: Path) -> Path:
    """The folder, with mode 0700, created if need be."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def create_private(path: Path, content: bytes) -> bool:
    """Create the file, on disk for good. False where it exists already, or another process is first."""
    with _written_beside(path, content) as written:
        try:
            # Unlike a rename, a link never replaces a file that has come to be there in the meantime.
            os.link(written, path)
        except FileExistsError:
            return False
    _sync_folder(path.parent)
    return True


def replace_private(path: Path, content: bytes) -> None:
    """Create or replace the file; whoever reads it meanwhile has the old content or the new."""
    with _written_beside(path, content) as written:
        written.replace(path)


@contextmanager
def _written_beside(path: Path, content: bytes) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    written = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        yield written
    finally:
        written.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
