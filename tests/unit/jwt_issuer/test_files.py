import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jwt_issuer.files import PUBLIC, locked, private_folder, replace_file, try_lock

from .modes import mode
from .patience import Patience


@pytest.fixture(autouse=True)
def an_open_umask() -> Iterator[None]:
    """The worst case: whatever does not ask for a mode is open to all."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_folder_is_made_for_its_owner_alone_and_closed_if_it_was_open(tmp_path: Path) -> None:
    assert mode(private_folder(tmp_path / "a" / "b")) == 0o700
    (tmp_path / "open").mkdir(mode=0o777)
    assert mode(private_folder(tmp_path / "open")) == 0o700


def test_replacing_gives_whole_new_content_to_the_next_reader_and_leaves_the_last_one_his(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    replace_file(path, b"first, and longer")
    with path.open("rb") as reader:
        replace_file(path, b"second")
        assert reader.read() == b"first, and longer"
    assert path.read_bytes() == b"second"


def test_a_secret_is_for_its_owner_alone_even_if_the_file_was_open_before(tmp_path: Path) -> None:
    replace_file(tmp_path / "created", b"x")
    (tmp_path / "replaced").write_bytes(b"")
    replace_file(tmp_path / "replaced", b"x")
    assert mode(tmp_path / "created") == mode(tmp_path / "replaced") == 0o600


def test_what_is_public_can_be_read_by_all_whatever_the_umask(tmp_path: Path) -> None:
    os.umask(0o077)
    replace_file(tmp_path / "public", b"x", PUBLIC)
    assert mode(tmp_path / "public") == 0o644


def test_nothing_else_is_left_behind(tmp_path: Path) -> None:
    replace_file(tmp_path / "secret", b"x")
    replace_file(tmp_path / "secret", b"x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        replace_file(tmp_path / "folder", b"x")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["folder", "secret"]


TRY = """
import fcntl, sys
with open(sys.argv[1], "wb") as file:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("taken")
    else:
        print("free")
"""


def tried_by_another_process(path: Path) -> str:
    return subprocess.run([sys.executable, "-c", TRY, str(path)], capture_output=True, text=True, check=True).stdout.strip()


def test_a_lock_is_one_processs_for_as_long_as_the_block_lasts(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with locked(path):
        assert tried_by_another_process(path) == "taken"
    assert tried_by_another_process(path) == "free"
    assert path.exists(), "who waits for it would have a lock that nobody else sees"


def test_a_lock_is_waited_for_and_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, patience = tmp_path / ".lock", Patience()
    monkeypatch.setattr("jwt_issuer.files.time", patience)
    too_long = pytest.raises(TimeoutError, match=f"another process has held the lock for too long: '{path}'")
    with locked(path), too_long, locked(path, patience=3):
        pytest.fail("two have the lock")
    assert 3 < patience.slept < 3.1


def test_whoever_waits_for_a_lock_has_it_as_soon_as_it_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, patience = tmp_path / ".lock", Patience()
    with path.open("wb") as holder:
        assert try_lock(holder)

        def sleep(seconds: float) -> None:
            holder.close()
            patience.slept += seconds

        monkeypatch.setattr(patience, "sleep", sleep)
        monkeypatch.setattr("jwt_issuer.files.time", patience)
        with locked(path):
            assert 0 < patience.slept < 0.1


def test_a_lock_goes_with_a_block_that_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path / ".lock"):
        raise KeyError
    with locked(tmp_path / ".lock", patience=-1):
        assert tried_by_another_process(tmp_path / ".lock") == "taken"
