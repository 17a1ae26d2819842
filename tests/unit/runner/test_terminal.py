import sys

import pytest
from rich.text import Text

from runner import terminal

LONG = "replication " * 12


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    console = terminal.console()
    console.width = 40
    console.print(terminal.indented(Text(LONG), 4, console))
    return capsys.readouterr().out.splitlines()


def test_a_terminal_gets_whole_words_and_each_line_indented(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    lines = shown(capsys)
    assert len(lines) == 4
    assert all(line.split() == ["replication"] * 3 for line in lines)
    assert all(line.startswith("    replication") for line in lines)


def test_a_pipe_gets_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert [line.strip() for line in shown(capsys)] == [LONG.strip()]
