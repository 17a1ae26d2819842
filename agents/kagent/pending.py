"""What is still to be pushed: of each task its last version, and not too many of them."""

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
    """At most `most` tasks. Those that have ended go first and are dropped last: they are what a history is made of."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._ended: OrderedDict[str, Push] = OrderedDict()
        self._running: OrderedDict[str, Push] = OrderedDict()
        self._under_way: set[str] = set()

    def __len__(self) -> int:
        return len(self._ended) + len(self._running)

    def put(self, push: Push) -> bool:
        """False where another one had to be dropped for it."""
        key = push.task.id
        before = self._running.pop(key, None)
        if not has_ended(push.task):
            if key not in self._ended:
                self._running[key] = push
        else:
            self._ended[key] = push
        if before or len(self) <= self._most:
            return True
        (self._running or self._ended).popitem(last=False)
        return False

    def take(self) -> Push | None:
        """The next one, which is under way until `done`; None where there is none but later versions of those under way."""
        for pushes in (self._ended, self._running):
            key = next((key for key in pushes if key not in self._under_way), None)
            if key:
                self._under_way.add(key)
                return pushes.pop(key)
        return None

    def newer(self, push: Push) -> Push:
        """A later version of one that is under way, or itself."""
        key = push.task.id
        return self._ended.pop(key, None) or self._running.pop(key, None) or push

    def done(self, push: Push) -> None:
        self._under_way.discard(push.task.id)
