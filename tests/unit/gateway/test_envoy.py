from pathlib import Path

import pytest

from gateway.envoy import find_envoy


def test_the_wheels_envoy_is_found_when_none_is_named() -> None:
    assert find_envoy(None).name == "envoy"


def test_a_named_envoy_comes_first(tmp_path: Path) -> None:
    mine = tmp_path / "my-envoy"
    mine.touch(mode=0o755)
    assert find_envoy(mine) == mine


def test_a_named_envoy_that_cannot_be_run_is_refused_with_the_variable(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"nowhere is not a program that can be run\. ENVOY_BIN names it"):
        find_envoy(tmp_path / "nowhere")
