from pathlib import Path

import pytest

from service.yaml_files import MOST_ALIASES, UnreadableError, read_yaml


def written(folder: Path, text: str) -> Path:
    file = folder / "some.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_an_alias_stands_for_what_it_names(tmp_path: Path) -> None:
    assert read_yaml(written(tmp_path, "a: &x {b: 1}\nc: *x\n")) == [{"a": {"b": 1}, "c": {"b": 1}}]


def test_a_few_lines_cannot_stand_for_gigabytes(tmp_path: Path) -> None:
    """Each level is ten of the one below: at the eighth, a hundred million."""
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    with pytest.raises(UnreadableError, match=f"more than {MOST_ALIASES} aliases stand in it"):
        read_yaml(written(tmp_path, f"a0: &a0 [x]\n{levels}"))
