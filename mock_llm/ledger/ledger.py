"""What the mock has said it used: the ground truth that budgets are compared with, to the token."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from mock_llm.ledger.journal import REFUSED, Entry, Journal
from mock_llm.usage import Usage

TEAM_HEADER = b"x-team-id"
USER_HEADER = b"x-user-id"
MAX_CALLERS = 10_000
MAX_MODELS = 100
"""Models that are told apart beside those of the list; callers choose their names."""
MAX_NAME = 256
"""Characters; with MAX_CALLERS it bounds the ledger's memory to a few megabytes."""
ENTRIES = 10_000


class Caller(NamedTuple):
    """Who called, by the headers that the gateway stamps; "-" where a header is absent."""

    team: str
    user: str


OTHER_NAME = "(other)"
OTHER = Caller(OTHER_NAME, OTHER_NAME)
"""All callers beyond MAX_CALLERS, and those with a name longer than MAX_NAME. No team can have this name."""


def caller_of(headers: Mapping[bytes, bytes]) -> Caller:
    team, user = headers.get(TEAM_HEADER) or b"-", headers.get(USER_HEADER) or b"-"
    return Caller(team.decode("latin-1"), user.decode("latin-1"))


@dataclass(slots=True)
class Totals:
    """What the answers that were handed out in full reported."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    def add(self, usage: Usage) -> None:
        self.requests += 1
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.cached_tokens += usage.cached_tokens

    def row(self) -> dict[str, int]:
        return {
            "requests": self.requests,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "cached_tokens": self.cached_tokens,
        }


@dataclass(slots=True)
class Account:
    """One caller's calls: how many were accepted, and what they were told."""

    caller: Caller
    calls: int
    told: Totals


class Ledger:
    """Only usage that was really reported counts.

    A JSON answer is entered when it is handed to a connection that is still open. A stream is entered when its usage
    chunk has been: a client that leaves before that was never told any usage, nor was the gateway in between, so there
    is nothing to enter, although a real provider would have done the work and billed it. For the same reason a stream
    that did not ask for usage adds nothing. What became of such calls, and of refused ones, stands in the journal alone.
    """

    def __init__(self, entries: int = ENTRIES, models: tuple[str, ...] = (), max_callers: int = MAX_CALLERS) -> None:
        """Keeps so many entries. The `models` are told apart however many others callers name."""
        self.journal = Journal(entries)
        self.outcomes: Counter[tuple[str, str, str]] = Counter()
        """Calls by endpoint, model and outcome."""
        self.models: dict[str, Totals] = {}
        self._known = models
        self._max_callers = max_callers
        self._accounts: dict[Caller, Account] = {}
        self._other = Account(OTHER, 0, Totals())
        self.clear()

    def clear(self) -> None:
        """Begin anew: callers have made no calls."""
        self.journal.clear()
        self.outcomes.clear()
        self.models = {name: Totals() for name in self._known}
        self._accounts.clear()
        self._other = Account(OTHER, 0, Totals())

    def account(self, caller: Caller) -> Account:
        account = self._accounts.get(caller)
        return account if account is not None else self._open(caller)

    def enter(self, entry: Entry) -> None:
        label = entry.model if entry.model in self.models else self._label(entry)
        self.outcomes[entry.endpoint, label, entry.outcome] += 1
        if entry.usage is not None:
            self.account(Caller(entry.team, entry.user)).told.add(entry.usage)
            self.models.setdefault(label, Totals()).add(entry.usage)
        self.journal.add(entry)

    def callers(self) -> list[dict[str, Any]]:
        """Sorted by team, then user; callers that were never told any usage have no row."""
        accounts = [*self._accounts.values(), self._other]
        return [
            {"team": account.caller.team, "user": account.caller.user} | account.told.row()
            for account in sorted(accounts, key=lambda a: a.caller)
            if account.told.requests
        ]

    def _open(self, caller: Caller) -> Account:
        if caller == OTHER or len(self._accounts) >= self._max_callers or max(map(len, caller)) > MAX_NAME:
            return self._other
        return self._accounts.setdefault(caller, Account(caller, 0, Totals()))

    def _label(self, entry: Entry) -> str:
        """How a model that has no row yet is counted. One that was refused opens none, for it may not even exist."""
        if entry.outcome == REFUSED or len(self.models) >= len(self._known) + MAX_MODELS:
            return OTHER_NAME
        self.models[entry.model] = Totals()
        return entry.model
