"""What the mock has said it used, per caller: the ground truth that budgets are compared with, to the token."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

MAX_CALLERS = 10_000
MAX_NAME = 256
"""Characters; with MAX_CALLERS it bounds the ledger's memory to a few megabytes."""


class Caller(NamedTuple):
    """Who called, by the headers that the gateway stamps; "-" where a header is absent."""

    team: str
    user: str


OTHER = Caller("(other)", "(other)")
"""All callers beyond MAX_CALLERS, and those with a name longer than MAX_NAME. No team can have this name."""


def caller_of(headers: Mapping[str, str]) -> Caller:
    return Caller(headers.get("x-team-id") or "-", headers.get("x-user-id") or "-")


@dataclass(slots=True)
class Account:
    """One caller's calls: how many were accepted, and what the answers that were handed out in full reported."""

    caller: Caller
    calls: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def enter(self, prompt_tokens: int, completion_tokens: int) -> None:
        self.requests += 1
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens

    def row(self) -> dict[str, Any]:
        return {
            "team": self.caller.team,
            "user": self.caller.user,
            "requests": self.requests,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }


class Ledger:
    """Only usage that was really reported counts.

    A JSON answer is entered when it is handed to a connection that is still open. A stream is entered when its usage
    chunk has been: a client that leaves before that was never told any usage, nor was the gateway in between, so there
    is nothing to enter, although a real provider would have done the work and billed it. For the same reason a stream
    that did not ask for usage is never entered. A refused request is not entered either.
    """

    def __init__(self, max_callers: int = MAX_CALLERS) -> None:
        self._max_callers = max_callers
        self._accounts: dict[Caller, Account] = {}
        self._other = Account(OTHER)

    def account(self, caller: Caller) -> Account:
        account = self._accounts.get(caller)
        return account if account is not None else self._open(caller)

    def rows(self) -> list[dict[str, Any]]:
        """Sorted by team, then user; callers that were never told any usage have no row."""
        accounts = [*self._accounts.values(), self._other]
        return [account.row() for account in sorted(accounts, key=lambda a: a.caller) if account.requests]

    def _open(self, caller: Caller) -> Account:
        if len(self._accounts) >= self._max_callers or max(map(len, caller)) > MAX_NAME:
            return self._other
        return self._accounts.setdefault(caller, Account(caller))
