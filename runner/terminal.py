"""Where a person reads: words are wrapped on a terminal; in a pipe or a file, a line stays one line for whoever greps."""

import os
import signal
import sys

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text


def console() -> Console:
    return _Console(soft_wrap=not sys.stdout.isatty())


def stop_unread() -> None:
    """For a BrokenPipeError: a reader that has gone, as in `up | head`, is a request to stop in order."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    signal.raise_signal(signal.SIGTERM)


def indented(text: Text, by: int, on: Console) -> RenderableType:
    """The text with that much room on its left, in each of its lines."""
    if on.soft_wrap:
        return Text(" " * by) + text
    return Padding(text, (0, 0, 0, by), expand=False)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        stop_unread()
