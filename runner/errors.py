"""What can go wrong with a supervised system.

* ProgramError            one program failed; carries its last words
  x StartError            it did not come up
  x GaveUp                it died more often than the policy allows, and the system was stopped
* StoppedError            the system is stopping, so nothing more is started
"""

from collections.abc import Sequence


class ProgramError(Exception):
    """`what` is one sentence without its full stop; `last_words` are the last lines that the program wrote."""

    def __init__(self, what: str, last_words: Sequence[str] = ()) -> None:
        self.what = what
        self.last_words = tuple(last_words)
        super().__init__(what, self.last_words)

    def __str__(self) -> str:
        if not self.last_words:
            return f"{self.what}. It wrote nothing."
        return "\n  ".join((f"{self.what}. Its last words:", *self.last_words))


class StartError(ProgramError):
    """A program did not come up."""


class GaveUp(ProgramError):
    """A program died more often than the policy allows, and the system was stopped."""


class StoppedError(Exception):
    """The system is stopping, so nothing more is started."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was not started, because the system is stopping.")
