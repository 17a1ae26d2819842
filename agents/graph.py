"""The agent's graph. An agent developer replaces `build_graph` with their own, and nothing else.

START -> call_llm -> answer | budget_exhausted | failed -> END
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Protocol, TypeAlias, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, RemoveMessage, SystemMessage
from langgraph.channels import UntrackedValue
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.graph.state import CompiledStateGraph

from agents.llm import CallLLM
from agents.outcomes import Answered, BudgetExhausted, Outcome, RequestRefused
from agents.texts import reply_to

Graph: TypeAlias = CompiledStateGraph[Any, Any, Any, Any]
Next: TypeAlias = Literal["answer", "budget_exhausted", "failed"]


class AgentState(TypedDict):
    """`messages` is the conversation, kept from turn to turn. The others are of this turn only.

    Any graph is served that takes `messages` and leaves `reply`, what the user reads, or else an AIMessage. `outcome` is what
    its last call to the LLM came to: the task fails where that was no answer, and completes where there is none.
    """

    messages: Annotated[list[AnyMessage], add_messages]
    outcome: Annotated[Outcome, UntrackedValue]
    reply: Annotated[str, UntrackedValue]


class GraphBuilder(Protocol):
    def __call__(
        self, call_llm: CallLLM, *, team: str, system_prompt: str, checkpointer: BaseCheckpointSaver[Any]
    ) -> Graph: ...


def build_graph(
    call_llm: CallLLM,
    *,
    team: str,
    system_prompt: str,
    checkpointer: BaseCheckpointSaver[Any],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Graph:
    async def ask(state: AgentState) -> dict[str, object]:
        return {"outcome": await call_llm([SystemMessage(system_prompt), *state["messages"]])}

    def reply(state: AgentState) -> str:
        return reply_to(state["outcome"], team, now())

    def answer(state: AgentState) -> dict[str, object]:
        return {"messages": [AIMessage(reply(state))], "reply": reply(state)}

    def budget_exhausted(state: AgentState) -> dict[str, object]:
        """The question stays in the conversation: the next message goes on from there."""
        return {"reply": reply(state)}

    def failed(state: AgentState) -> dict[str, object]:
        update: dict[str, object] = {"reply": reply(state)}
        last = state["messages"][-1]
        if isinstance(state["outcome"], RequestRefused) and last.id:
            # A message that the LLM will not take would be refused again with every later one.
            update["messages"] = [RemoveMessage(id=last.id)]
        return update

    graph = StateGraph(AgentState)
    graph.add_node("call_llm", ask)
    graph.add_node("answer", answer)
    graph.add_node("budget_exhausted", budget_exhausted)
    graph.add_node("failed", failed)
    graph.add_edge(START, "call_llm")
    graph.add_conditional_edges("call_llm", what_came_back)
    for last in ("answer", "budget_exhausted", "failed"):
        graph.add_edge(last, END)
    return graph.compile(checkpointer=checkpointer)


def what_came_back(state: AgentState) -> Next:
    match state["outcome"]:
        case Answered():
            return "answer"
        case BudgetExhausted():
            return "budget_exhausted"
        case _:
            return "failed"
