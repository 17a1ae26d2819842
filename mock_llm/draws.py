"""The chance in an answer: which essay, how many tokens it claims to be, and its id."""

from random import Random
from typing import NamedTuple

from mock_llm.essays import ESSAYS
from mock_llm.ledger import Account

FEWEST_TOKENS = 400
MOST_TOKENS = 1500


class Draw(NamedTuple):
    essay: int
    completion_tokens: int
    answer_id: str


class Draws:
    """With a seed, a caller's nth call draws the same in every run, however the calls of others fall in between."""

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._unseeded = Random()  # noqa: S311 - essays are no secret

    def next(self, account: Account) -> Draw:
        account.calls += 1
        chance = self._unseeded if self._seed is None else self._seeded(account)
        return Draw(
            essay=chance.randrange(len(ESSAYS)),
            completion_tokens=chance.randint(FEWEST_TOKENS, MOST_TOKENS),
            answer_id=f"chatcmpl-{chance.getrandbits(96):024x}",
        )

    def _seeded(self, account: Account) -> Random:
        return Random(repr((self._seed, *account.caller, account.calls)))  # noqa: S311 - essays are no secret
