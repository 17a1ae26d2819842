"""What a task used: its own calls to the LLM, and those of the agents that it called, as a tree.

The document is `{"agent", "own": {"prompt", "completion", "total", "calls"}, "peers": [documents], "total"}`, all in tokens.
It comes back from other agents, so that reading one believes nothing: no number below nought, no tree without end.
"""

from dataclasses import dataclass, field
from typing import Any, Self

DEEPEST = 16
"""Levels that are read of another agent's tree; what lies below is not counted."""

WIDEST = 256
"""Agents that are read at one level of another agent's tree."""

LARGEST = 2**53
"""The first number that JSON's readers may round."""


@dataclass(frozen=True)
class Usage:
    """Tokens, as the LLM counted them."""

    prompt: int
    completion: int
    total: int

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.prompt + other.prompt, self.completion + other.completion, self.total + other.total)


NOTHING = Usage(0, 0, 0)


@dataclass
class UsageTree:
    """One agent's part in a task; `peers` are the agents that it called, one for each call."""

    agent: str
    own: Usage = NOTHING
    calls: int = 0
    peers: list["UsageTree"] = field(default_factory=list)

    def count(self, usage: Usage | None) -> None:
        """One call to the LLM; None where the gateway did not say what it used."""
        self.calls += 1
        self.own += usage or NOTHING

    @property
    def total(self) -> int:
        return self.own.total + sum(peer.total for peer in self.peers)

    def document(self) -> dict[str, Any]:
        own = {"prompt": self.own.prompt, "completion": self.own.completion, "total": self.own.total, "calls": self.calls}
        return {"agent": self.agent, "own": own, "peers": [peer.document() for peer in self.peers], "total": self.total}

    @classmethod
    def read(cls, document: object, depth: int = 0) -> Self | None:
        """`document` is plain JSON. None where it is no usage at all; a part that cannot be believed counts as nothing."""
        if not isinstance(document, dict) or depth >= DEEPEST or not isinstance(document.get("agent"), str):
            return None
        own = document.get("own")
        own = own if isinstance(own, dict) else {}
        peers = document.get("peers")
        read = [cls.read(peer, depth + 1) for peer in peers[:WIDEST]] if isinstance(peers, list) else []
        return cls(
            agent=document["agent"][:256],
            own=Usage(*(tokens(own.get(name)) for name in ("prompt", "completion", "total"))),
            calls=tokens(own.get("calls")),
            peers=[peer for peer in read if peer is not None],
        )


def tokens(value: object) -> int:
    """A number of tokens; nought where it is none. Protobuf's JSON makes every number a float."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LARGEST:
        return 0
    return int(value)
