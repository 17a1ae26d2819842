"""What a graph is built from. An agent developer's builder is handed one, and takes of it what it needs."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from langchain_core.messages import AnyMessage
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from agents.outcomes import Outcome, ToolCall

Graph: TypeAlias = CompiledStateGraph[Any, Any, Any, Any]
Tool: TypeAlias = dict[str, Any] | BaseTool | Callable[..., Any]
"""A function as OpenAI's API has it, `{"type": "function", "function": {...}}`, or whatever LangChain can make one of."""


class CallLLM(Protocol):
    """One conversation in, one outcome out. Never raises for what the network or the gateway does."""

    def __call__(self, messages: Sequence[AnyMessage], tools: Sequence[Tool] = ()) -> Awaitable[Outcome]: ...


class Peers(Protocol):
    """The agents that this one may call."""

    async def tools(self) -> Sequence[Tool]:
        """One for each peer that may be called in this run; none where there are none."""
        ...

    async def call(self, call: ToolCall, share: int = 1) -> str:
        """What the peer answered, or why it did not, in words for the LLM. Never raises.

        `share` is how many calls are under way together: each is handed that part of what is left of the allowance.
        """
        ...


class Budget(Protocol):
    """What is left of the budgets that apply to the agent."""

    async def describe(self) -> str:
        """In words for the user, at no cost. Never raises."""
        ...


@dataclass(frozen=True)
class Kit:
    """`longest_wait` is the seconds that a turn may wait for a spent budget to refill; 0 where it does not wait."""

    call_llm: CallLLM
    peers: Peers
    budget: Budget
    team: str
    system_prompt: str
    checkpointer: BaseCheckpointSaver[Any]
    longest_wait: float = 0


class GraphBuilder(Protocol):
    def __call__(self, kit: Kit) -> Graph: ...
