"""What is said of a policy that cannot be used."""

from pathlib import Path


class PolicyError(ValueError):
    """A policy that cannot be used. The text is one sentence: the file, the place in the document and the reason."""

    def __init__(self, file: Path, place: str, reason: str) -> None:
        super().__init__(f"{file}: {place}: {reason}" if place else f"{file}: {reason}")
