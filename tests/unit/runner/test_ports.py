import os
import stat
from pathlib import Path

import pytest

from runner.ports import NoPortError, Ports

FIRST = 29_000


def test_ports_are_of_the_range_and_never_the_same(tmp_path: Path) -> None:
    with Ports(FIRST, FIRST + 40, tmp_path) as ports:
        taken = [ports.take() for _ in range(20)]
    assert len(set(taken)) == 20
    assert set(taken) <= set(range(FIRST, FIRST + 41))


def test_two_at_once_never_take_the_same(tmp_path: Path) -> None:
    with Ports(FIRST, FIRST + 40, tmp_path) as one, Ports(FIRST, FIRST + 40, tmp_path) as other:
        taken = [ports.take() for _ in range(10) for ports in (one, other)]
    assert len(set(taken)) == 20


def test_the_preferred_port_is_taken_if_it_is_free(tmp_path: Path) -> None:
    with Ports(FIRST, FIRST + 40, tmp_path) as ports:
        assert ports.take(FIRST + 1000) == FIRST + 1000


def test_a_preferred_port_that_another_holds_is_not_taken(tmp_path: Path) -> None:
    with Ports(FIRST, FIRST + 40, tmp_path) as one, Ports(FIRST, FIRST + 40, tmp_path) as other:
        held = one.take(FIRST + 1000)
        assert other.take(held) in range(FIRST, FIRST + 41)


def test_a_preferred_port_is_taken_once_only(tmp_path: Path) -> None:
    with Ports(FIRST, FIRST + 40, tmp_path) as ports:
        assert ports.take(FIRST + 1000) != ports.take(FIRST + 1000)


def test_closing_gives_the_ports_back(tmp_path: Path) -> None:
    with Ports(FIRST, FIRST + 40, tmp_path) as ports:
        held = ports.take(FIRST + 1000)
    with Ports(FIRST, FIRST + 40, tmp_path) as ports:
        assert ports.take(held) == held


@pytest.mark.parametrize("port", [-1, 0, 70_000])
def test_a_port_that_cannot_exist_is_not_taken(tmp_path: Path, port: int) -> None:
    with Ports(FIRST, FIRST + 40, tmp_path) as ports:
        assert ports.take(port) in range(FIRST, FIRST + 41)


def test_the_refusal_when_none_is_left_names_the_range(tmp_path: Path) -> None:
    with Ports(FIRST, FIRST + 40, tmp_path) as ports, Ports(FIRST, FIRST, tmp_path) as late:
        for _ in range(41):
            try:
                ports.take()
            except NoPortError:  # a stranger's port in this range
                break
        with pytest.raises(NoPortError, match=rf"from {FIRST} to {FIRST} is free: stop some"):
            late.take()


def test_the_folder_serves_every_user_and_lets_nobody_remove_anothers_guard(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    before = os.umask(0o077)
    try:
        with Ports(FIRST, FIRST + 40, folder) as ports:
            guard = folder / f"{ports.take()}.lock"
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
    assert stat.S_IMODE(guard.stat().st_mode) == 0o644


def test_a_guard_that_another_user_made_serves_without_write_permission(tmp_path: Path) -> None:
    guard = tmp_path / f"{FIRST + 1000}.lock"
    guard.touch()
    guard.chmod(0o444)
    with Ports(FIRST, FIRST + 40, tmp_path) as one, Ports(FIRST, FIRST + 40, tmp_path) as other:
        assert one.take(FIRST + 1000) == FIRST + 1000
        assert other.take(FIRST + 1000) != FIRST + 1000


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NoPortError, match=r"port locks .*/file cannot be used .*: remove it, or set TMPDIR"):
        Ports(FIRST, FIRST + 40, tmp_path / "file").take()
