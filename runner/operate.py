"""`status` and `reset`: the budget service's own command line, pointed at the system that runs, whatever its ports."""

import subprocess
import sys
from pathlib import Path

from runner.addresses import Addresses


def operate(folder: Path, *words: str) -> int:
    """The exit code of `budgets WORDS`. Raises NoSystemError where none runs on the folder."""
    url = Addresses.of_running(folder).budgets
    return subprocess.run([sys.executable, "-m", "budgets", *words, "--url", url], check=False).returncode  # noqa: S603
