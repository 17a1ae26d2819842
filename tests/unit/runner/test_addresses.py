from pathlib import Path

import pytest

from runner.addresses import ADDRESSES, Addresses, NoSystemError, remove
from runner.lock import only_one

SOME = Addresses("http://g", "http://ga", "http://m", "http://j", "http://b", {"dba-agent": "http://d"})


def test_what_a_running_system_has_written_is_found(tmp_path: Path) -> None:
    with only_one(tmp_path):
        SOME.write(tmp_path)
        assert Addresses.of_running(tmp_path) == SOME
    assert {file.name for file in tmp_path.iterdir()} == {"lock", ADDRESSES}


def test_what_a_killed_system_has_left_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    with only_one(tmp_path):
        SOME.write(tmp_path)
    with pytest.raises(NoSystemError, match=f"No system runs on {tmp_path}: start one with `make up`"):
        Addresses.of_running(tmp_path)


def test_a_system_that_has_written_nothing_yet_is_still_starting(tmp_path: Path) -> None:
    with only_one(tmp_path):
        SOME.write(tmp_path)
        remove(tmp_path)
        with pytest.raises(NoSystemError, match=f"The system on {tmp_path} is still starting"):
            Addresses.of_running(tmp_path)
