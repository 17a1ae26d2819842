from pathlib import Path

from gateway.envoy import find_envoy


def test_the_wheels_envoy_is_found_when_none_is_named() -> None:
    assert find_envoy(None).name == "envoy"


def test_a_named_envoy_comes_first(tmp_path: Path) -> None:
    mine = tmp_path / "my-envoy"
    mine.touch(mode=0o755)
    assert find_envoy(mine) == mine
