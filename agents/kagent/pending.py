"""What is still to be pushed: of each task its last version, and not too many of them."""

import itertools
from collections import OrderedDict
from dataclasses import dataclass

from a2a.types import Task

from agents.tasks import has_ended


@dataclass(frozen=True)
class Push:
    """`source` is what the caller's `x-kagent-source` said; `since` is when it was asked for, on the clock of whoever asks."""

    task: Task
    user: str
    source: str
    since: float


class Pending:
    """At most `most` tasks. Those that have ended go first and are dropped last: they are what a history is made of.

    Of one context there is one under way, and an older task before a later one: kagent's UI lists them as they come.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._ended: OrderedDict[str, Push] = OrderedDict()
        self._running: OrderedDict[str, Push] = OrderedDict()
        self._first: dict[str, int] = {}
        self._numbers = itertools.count()
        self._under_way: set[str] = set()

    def __len__(self) -> int:
        return len(self._ended) + len(self._running)

    def put(self, push: Push) -> bool:
        """False where another one had to be dropped for it."""
        key = push.task.id
        self._first.setdefault(key, next(self._numbers))
        before = self._running.pop(key, None)
        if not has_ended(push.task):
            if key not in self._ended:
                self._running[key] = push
        else:
            self._ended[key] = push
        if before or len(self) <= self._most:
            return True
        dropped, _ = (self._running or self._ended).popitem(last=False)
        self._first.pop(dropped, None)
        return False

    def take(self) -> Push | None:
        """The next one, whose context is under way until `done`; None where there is none in any other."""
        for push in [*self._ended.values(), *self._running.values()]:
            context = push.task.context_id
            if context not in self._under_way:
                self._under_way.add(context)
                of_context = [
                    each for each in (*self._ended.values(), *self._running.values()) if each.task.context_id == context
                ]
                oldest = min(of_context, key=lambda each: self._first[each.task.id])
                return self.newer(oldest)
        return None

    def newer(self, push: Push) -> Push:
        """A later version of one that is under way, or itself."""
        key = push.task.id
        return self._ended.pop(key, None) or self._running.pop(key, None) or push

    def done(self, push: Push) -> None:
        key = push.task.id
        self._under_way.discard(push.task.context_id)
        if key not in self._ended and key not in self._running:
            self._first.pop(key, None)
