"""The chance in an answer: which essays, how many tokens they claim to be, and the answer's id."""

from random import Random
from typing import NamedTuple

from mock_llm.essays import ESSAYS
from mock_llm.ledger.ledger import Account
from mock_llm.usage import TokenRange


class Choice(NamedTuple):
    essay: int
    tokens: int


class Draw(NamedTuple):
    choices: tuple[Choice, ...]
    answer_id: str
    """24 hexadecimal digits, to stand behind an API's own prefix."""
    chance: Random
    """Where the answer's delays are drawn from."""


class Draws:
    """With a seed, a caller's nth call draws the same in every run, however the calls of others fall in between."""

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._unseeded = Random()  # noqa: S311 - essays are no secret

    def next(self, account: Account, tokens: TokenRange, choices: int = 1, fixed: bytes | None = None) -> Draw:
        """What is drawn by `fixed`, in place of the caller's count, is the same for all calls that have it. Never the id."""
        account.calls += 1
        chance = self._unseeded if self._seed is None else self._seeded(account)
        source = chance if fixed is None else Random(repr((self._seed, "fixed", fixed)))  # noqa: S311
        first = _choice(source, tokens)
        answer_id = f"{chance.getrandbits(96):024x}"
        if choices == 1:
            return Draw((first,), answer_id, chance)
        return Draw((first, *(_choice(source, tokens) for _ in range(choices - 1))), answer_id, chance)

    def _seeded(self, account: Account) -> Random:
        return Random(repr((self._seed, *account.caller, account.calls)))  # noqa: S311 - essays are no secret


def _choice(source: Random, tokens: TokenRange) -> Choice:
    return Choice(source.randrange(len(ESSAYS)), source.randint(*tokens))
