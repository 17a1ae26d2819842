"""What happens in a turn that its user may see before the end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from agents.usage import Usage


@dataclass(frozen=True)
class Delta:
    """A few more words of the answer that the LLM is writing."""

    text: str


@dataclass(frozen=True)
class Said:
    """One call to the LLM is over. `text` is all of it; empty where the LLM only called tools."""

    text: str
    usage: Usage | None


@dataclass(frozen=True)
class ToolCalled:
    call_id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class ToolAnswered:
    """`response` is what kagent's UI shows of it: `{"result": ...}`, and of an agent `subagent_session_id` and its usage."""

    call_id: str
    name: str
    response: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Note:
    """A sentence of the agent's own on how things stand, such as how long it waits."""

    text: str


Progress: TypeAlias = Delta | Said | ToolCalled | ToolAnswered | Note
