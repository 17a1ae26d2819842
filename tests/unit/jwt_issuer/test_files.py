import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jwt_issuer.files import create_private, private_folder, replace_private

from .modes import mode


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


def test_creating_never_replaces(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert create_private(path, b"first")
    assert not create_private(path, b"second")
    assert path.read_bytes() == b"first"


def test_replacing_gives_whole_new_content_to_the_next_reader_and_leaves_the_last_one_his(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    replace_private(path, b"first, and longer")
    with path.open("rb") as reader:
        replace_private(path, b"second")
        assert reader.read() == b"first, and longer"
    assert path.read_bytes() == b"second"


def test_a_secret_is_for_its_owner_alone_even_if_the_file_was_open_before(tmp_path: Path) -> None:
    create_private(tmp_path / "created", b"x")
    (tmp_path / "replaced").write_bytes(b"")
    replace_private(tmp_path / "replaced", b"x")
    assert mode(tmp_path / "created") == mode(tmp_path / "replaced") == 0o600


def test_nothing_else_is_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    create_private(path, b"x")
    create_private(path, b"x")
    replace_private(path, b"x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        replace_private(tmp_path / "folder", b"x")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["folder", "secret"]
