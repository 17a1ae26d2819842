import os
from pathlib import Path

import pytest

from runner.lock import AlreadyRunningError, is_held, only_one


def test_the_lock_holds_the_process_id(tmp_path: Path) -> None:
    with only_one(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_second_system_is_told_the_folder_the_process_and_the_remedy(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(AlreadyRunningError) as refused, only_one(tmp_path):
        pass
    assert str(refused.value) == (
        f"A system already runs on {tmp_path}, held by process {os.getpid()}: "
        f"stop it (kill {os.getpid()}), or use another state folder."
    )


def test_a_refused_second_system_leaves_the_first_one_its_lock(tmp_path: Path) -> None:
    with only_one(tmp_path):
        for _ in range(2):
            with pytest.raises(AlreadyRunningError, match=str(os.getpid())), only_one(tmp_path):
                pass


def test_the_folder_is_free_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with only_one(tmp_path):
            pass


def test_what_an_earlier_process_left_locks_nobody_out(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("123456789\n")
    with only_one(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_two_folders_are_two_systems(tmp_path: Path) -> None:
    with only_one(tmp_path / "one"), only_one(tmp_path / "two"):
        assert (tmp_path / "two" / "lock").exists()


def test_a_folder_is_held_as_long_as_a_system_is_on_it(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "absent")
    with only_one(tmp_path):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
