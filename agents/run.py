"""One task at work: who it is for, what it has used so far, and who listens.

A node of a graph need not hand it on: `current_run()` finds it, as LangGraph finds the configuration of its run.
"""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from agents.lineage import Lineage
from agents.outcomes import Meter
from agents.progress import Progress
from agents.usage import Usage, UsageTree

CHARACTERS = 4
"""Of a token, in English, as a rule of thumb."""


class Listener(Protocol):
    """Whoever shows the user what goes on."""

    def tell(self, progress: Progress) -> None: ...

    def withdraw(self) -> bool:
        """Forgets the words of the call under way, for it is made again. False where the user has read some of them."""
        ...


class Nobody:
    """Nobody listens."""

    def tell(self, progress: Progress) -> None:
        pass

    def withdraw(self) -> bool:
        return True


@dataclass
class Run:
    """`agent` is the agent's full name, as in `Lineage.path`."""

    agent: str = ""
    context_id: str = ""
    task_id: str = ""
    lineage: Lineage = field(default_factory=Lineage)
    listener: Listener = field(default_factory=Nobody)
    usage: UsageTree = field(init=False)
    meter: Meter | None = None
    """The tightest budget, by the last answer."""
    partial: str = ""
    """Words that the user has read of an answer that broke off, and will not come again."""
    begun: bool = False
    """Whether the message is in the conversation: before, the turns of earlier messages are waited for."""
    waiting: bool = False
    """Whether the turn waits for its budget to refill."""
    spent_peers: dict[str, str] = field(default_factory=dict)
    """What agents said whose budget is spent, by name: they are not asked again in this turn."""
    unreported: int = 0
    """Tokens, as far as can be guessed, of calls whose usage the gateway did not say."""
    savings: list[str] = field(default_factory=list)
    """What was done to spend less, in words for the answer's metadata."""

    def __post_init__(self) -> None:
        self.usage = UsageTree(self.agent)

    def tell(self, progress: Progress) -> None:
        self.listener.tell(progress)

    def count(self, usage: Usage | None, characters: int = 0) -> None:
        """One call to the LLM, of so many characters in all."""
        self.usage.count(usage)
        if usage is None:
            self.unreported += 1 + characters // CHARACTERS

    @property
    def allowance_left(self) -> int | None:
        """Tokens that may still be spent, by this agent and those that it calls; None where nobody set a bound."""
        allowance = self.lineage.allowance
        return None if allowance is None else max(0, allowance - self.usage.total - self.unreported)


_current: ContextVar[Run] = ContextVar("run")


def current_run() -> Run:
    """The run in which the caller works; outside of one, a new one to which nobody listens."""
    return _current.get(None) or Run()


def enter_run(run: Run) -> None:
    """Makes it the current one, for this asyncio task and those that it starts."""
    _current.set(run)
