"""What a graph must be, and what it must leave at the end of a turn; a graph that is wrong is told so in one sentence."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from agents.kit import Graph
from agents.outcomes import Outcome, ToolsCalled
from agents.storage.channels import OF_ONE_TURN

KEYS = ("messages", *OF_ONE_TURN)


class GraphError(ValueError):
    """The graph does not do its part. The text is one sentence for its developer, never for the user."""


@dataclass(frozen=True)
class Turn:
    """`outcome` is None where the graph did not say what its calls to the LLM came to, or made none."""

    reply: str
    outcome: Outcome | None


def check_graph(graph: Graph, checkpointer: BaseCheckpointSaver[Any]) -> None:
    """Raises GraphError where the first message would fail, or the second would find no conversation."""
    if inspect.iscoroutine(graph):
        graph.close()
        raise GraphError("The graph's builder is async, and it is called where nothing is awaited: make it a plain `def`.")
    if not isinstance(graph, CompiledStateGraph):
        raise GraphError(
            f"The graph's builder returned a {type(graph).__name__}: "
            "end it with `return graph.compile(checkpointer=kit.checkpointer)`."
        )
    # LangGraph itself may put a copy in the checkpointer's place.
    if not isinstance(getattr(graph, "checkpointer", None), type(checkpointer)):
        raise GraphError(
            "The graph would remember nothing, for it was not compiled with the checkpointer that its builder is handed: "
            "end the builder with `return graph.compile(checkpointer=kit.checkpointer)`."
        )
    if "messages" not in graph.channels:
        raise GraphError(
            "The graph's state has no `messages`, where it would find the conversation: "
            "use AgentState of agents.graph as its state, or a subclass."
        )
    if any(isinstance(channel, DeltaChannel) for channel in graph.channels.values()):
        raise GraphError(
            "The graph's state uses a DeltaChannel, which reads earlier checkpoints, and only the last one is kept: "
            "give `messages` the reducer add_messages, as AgentState of agents.graph does."
        )
    if graph.interrupt_before_nodes or graph.interrupt_after_nodes:
        raise GraphError(
            "The graph was compiled with interrupt_before or interrupt_after, but a turn cannot stop half-way and go on later: "
            "ask the user in `reply` and let the turn end; the answer is the conversation's next message."
        )


def read_turn(state: Mapping[str, Any], question: str) -> Turn:
    """The turn that began with the message whose id is `question`. Raises GraphError where nothing was left to tell."""
    if "__interrupt__" in state:
        raise GraphError(
            "The graph stopped at an interrupt(), but a turn cannot stop half-way and go on later: "
            "ask the user in `reply` and let the turn end; the answer is the conversation's next message."
        )
    outcome = state.get("outcome")
    if inspect.iscoroutine(outcome):
        outcome.close()
        raise GraphError("The graph left a call of the LLM that nobody awaits: `await kit.call_llm(...)`, in an async node.")
    if outcome is not None and not isinstance(outcome, Outcome):
        raise GraphError(
            f"The graph left an `outcome` of type {type(outcome).__name__}: leave what call_llm returned, or leave it out."
        )
    reply = state.get("reply") or _last_words(state.get("messages") or [], question)
    if not isinstance(reply, str) or not reply.strip():
        if isinstance(outcome, ToolsCalled):
            raise GraphError(
                "The graph ended while the LLM waits for the tools that it has called: "
                "a node must run them, and ask again with what they say."
            )
        raise GraphError(
            "The graph left nothing for the user to read: a node must leave a text in `reply`, "
            "or an AIMessage with text after the user's message in `messages`."
        )
    return Turn(reply=reply, outcome=outcome)


def _last_words(messages: Sequence[Any], question: str) -> str:
    """What the model said last after the question. Nothing where the question is gone: it could be an earlier turn's."""
    ids = [getattr(message, "id", None) for message in messages]
    if question not in ids:
        return ""
    said = [message for message in messages[ids.index(question) :] if isinstance(message, AIMessage)]
    return str(said[-1].text) if said else ""
