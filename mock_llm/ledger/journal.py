"""The last calls, one entry each, newest first."""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from mock_llm.usage import Usage

ANSWERED = "answered"
REFUSED = "refused"
GONE = "gone"
"""The client left before it was told any usage. Besides these three the outcome of a call is the name of its fault."""


class Entry(NamedTuple):
    """`time` is in seconds since 1970. `usage` is what the caller was told; None where it was told none."""

    time: float
    team: str
    user: str
    request_id: str
    endpoint: str
    model: str
    """Empty where the request was refused before one was understood."""
    outcome: str
    code: str
    """Of a refusal, else empty."""
    usage: Usage | None

    def row(self) -> dict[str, Any]:
        usage = self.usage
        return {
            "time": datetime.fromtimestamp(self.time, UTC).isoformat(timespec="milliseconds"),
            "team": self.team,
            "user": self.user,
            "request_id": self.request_id,
            "endpoint": self.endpoint,
            "model": self.model or None,
            "outcome": self.outcome,
            "code": self.code or None,
            "prompt_tokens": usage and usage.prompt_tokens,
            "completion_tokens": usage and usage.completion_tokens,
            "cached_tokens": usage and usage.cached_tokens,
        }


class Journal:
    def __init__(self, most: int) -> None:
        """Keeps so many entries; of more, the oldest are dropped."""
        self._entries: deque[Entry] = deque(maxlen=most)
        self._added = 0

    def add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._added += 1

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def dropped(self) -> int:
        return self._added - len(self._entries)

    def clear(self) -> None:
        self._entries.clear()
        self._added = 0

    def newest_first(self, wanted: dict[str, str]) -> Iterator[Entry]:
        """Those whose fields have the wanted values."""
        for entry in reversed(self._entries):
            if all(getattr(entry, field) == value for field, value in wanted.items()):
                yield entry
