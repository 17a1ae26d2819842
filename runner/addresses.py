"""Where the running system listens: written into its state folder by `up`, found there by every other command."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from runner.lock import is_held

ADDRESSES = "system.json"
"""The file in the state folder; there is none while none runs, but for one that a killed `up` has left."""


class NoSystemError(Exception):
    """No system is up on the state folder; the text is one sentence with the remedy."""


@dataclass(frozen=True)
class Addresses:
    gateway: str
    gateway_admin: str
    mock_llm: str
    jwt_issuer: str
    budgets: str
    agents: Mapping[str, str]
    """Of each agent, by its name."""

    def write(self, folder: Path) -> None:
        """Whole or not at all, for whoever reads at this moment."""
        unfinished = folder / f"{ADDRESSES}.new"
        unfinished.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        unfinished.replace(folder / ADDRESSES)

    @classmethod
    def of_running(cls, folder: Path) -> "Addresses":
        """Those of the system that runs on the folder. Raises NoSystemError."""
        # The lock is asked, not the file: a killed `up` leaves the file behind, never the lock.
        if not is_held(folder):
            raise NoSystemError(f"No system runs on {folder}: start one with `make up` in another terminal.")
        try:
            return cls(**json.loads((folder / ADDRESSES).read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise NoSystemError(
                f"The system on {folder} is still starting, or stopping: try again once it says that it is up."
            ) from None


def remove(folder: Path) -> None:
    (folder / ADDRESSES).unlink(missing_ok=True)
