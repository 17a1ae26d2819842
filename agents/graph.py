"""The agent's graph. An agent developer replaces `build_graph` with their own, and nothing else."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, TypeAlias, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.channels import UntrackedValue
from langgraph.graph import END, START, StateGraph, add_messages

from agents.budget.question import asks_for_budget
from agents.conversation import complete, said, without_last_question
from agents.kit import Graph, Kit
from agents.outcomes import Answered, BudgetExhausted, Outcome, RequestRefused, ToolsCalled
from agents.progress import Note
from agents.run import current_run
from agents.texts import reply_to, resets_at, waiting_until

log = logging.getLogger(__name__)

Next: TypeAlias = Literal["answer", "call_peers", "wait_for_refill", "budget_exhausted", "failed"]

MOST_ROUNDS = 8
"""Calls of peers in one turn; then the LLM is offered none, and must answer with what it has."""

SHORTEST_WAIT = 5
"""Seconds; twice as many for each time that the turn has waited before."""

OF_CONTENT = frozenset({400, 413, 422})
"""Statuses that may be for what the user has said; others, and answers that cannot be read, are not."""

SPREAD = 2
"""Seconds at most by which agents that wait for the same reset are kept apart."""


class AgentState(TypedDict):
    """`messages` is the conversation, kept from turn to turn. The others are of this turn only.

    Any graph is served that takes `messages` and leaves `reply`, what the user reads, or else an AIMessage. `outcome` is what
    its last call to the LLM came to: the task fails where that was no answer, and completes where there is none.
    """

    messages: Annotated[list[AnyMessage], add_messages]
    outcome: Annotated[Outcome, UntrackedValue]
    reply: Annotated[str, UntrackedValue]


class _State(AgentState):
    """`rounds` is how often peers were called, `waits` the seconds of each wait for the budget."""

    rounds: Annotated[int, UntrackedValue]
    waits: Annotated[list[float], UntrackedValue]


def build_graph(
    kit: Kit,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Graph:
    # All of them are async: LangGraph runs what is not in a thread of its own, which takes longer than most of them do.

    async def tell_budget(state: _State) -> dict[str, object]:
        """The question leaves the conversation, for every later call would pay for it."""
        return {"reply": await kit.budget.describe(), "messages": without_last_question(state["messages"])}

    async def call_llm(state: _State) -> dict[str, object]:
        tools = await kit.peers.tools() if state.get("rounds", 0) < MOST_ROUNDS else ()
        outcome = await kit.call_llm([SystemMessage(kit.system_prompt), *complete(state["messages"])], tools)
        # In the conversation at once: what was paid for is not paid for again.
        messages = [said(outcome)] if isinstance(outcome, Answered | ToolsCalled) else []
        return {"outcome": outcome, "messages": messages}

    async def call_peers(state: _State) -> dict[str, object]:
        calls = state["outcome"].calls if isinstance(state["outcome"], ToolsCalled) else ()
        answers = await asyncio.gather(*(kit.peers.call(call, len(calls)) for call in calls))
        messages = [
            ToolMessage(answer, tool_call_id=call.call_id, name=call.name) for call, answer in zip(calls, answers, strict=True)
        ]
        return {"messages": messages, "rounds": state.get("rounds", 0) + 1}

    async def wait_for_refill(state: _State) -> dict[str, object]:
        waits = state.get("waits", [])
        # All agents of a team wait for the same moment.
        seconds = _wait(state, now()) + random.uniform(0, SPREAD)  # noqa: S311 - nothing to guess
        run = current_run()
        log.info("Task %s waits %.0f s for its budget.", run.task_id, seconds)
        run.tell(Note(waiting_until(now() + timedelta(seconds=seconds), now())))
        run.waiting = True
        await sleep(seconds)
        run.waiting = False
        return {"waits": [*waits, seconds]}

    async def answer(state: _State) -> dict[str, object]:
        return {"reply": reply(state)}

    async def budget_exhausted(state: _State) -> dict[str, object]:
        """The question stays in the conversation: the next message goes on from there."""
        return {"reply": reply(state), "messages": _broken_off()}

    async def failed(state: _State) -> dict[str, object]:
        if isinstance(state["outcome"], RequestRefused) and _is_at_fault(state):
            # A message that the LLM will not take would be refused again with every later one.
            return {"reply": reply(state), "messages": without_last_question(state["messages"])}
        return {"reply": reply(state), "messages": _broken_off()}

    def reply(state: _State) -> str:
        return reply_to(state["outcome"], kit.team, now())

    async def what_came_back(state: _State) -> Next:
        match state["outcome"]:
            case Answered():
                return "answer"
            case ToolsCalled():
                return "call_peers" if state.get("rounds", 0) < MOST_ROUNDS else "failed"
            case BudgetExhausted():
                may_wait = 0 < _wait(state, now()) <= kit.longest_wait - sum(state.get("waits", []))
                return "wait_for_refill" if may_wait else "budget_exhausted"
            case _:
                return "failed"

    graph = StateGraph(_State)
    for node in (tell_budget, call_llm, call_peers, wait_for_refill, answer, budget_exhausted, failed):
        graph.add_node(node.__name__, node)
    graph.add_conditional_edges(START, what_is_asked)
    graph.add_conditional_edges("call_llm", what_came_back)
    graph.add_edge("call_peers", "call_llm")
    graph.add_edge("wait_for_refill", "call_llm")
    for last in ("tell_budget", "answer", "budget_exhausted", "failed"):
        graph.add_edge(last, END)
    return graph.compile(checkpointer=kit.checkpointer)


async def what_is_asked(state: AgentState) -> Literal["tell_budget", "call_llm"]:
    return "tell_budget" if asks_for_budget(state["messages"][-1].text) else "call_llm"


def _wait(state: _State, now: datetime) -> float:
    """Seconds until the budget is back, and never a few only, again and again; 0 where the gateway did not say."""
    outcome = state["outcome"]
    at = resets_at(outcome, now) if isinstance(outcome, BudgetExhausted) else None
    return max(SHORTEST_WAIT * 2 ** len(state.get("waits", [])), (at - now).total_seconds()) if at else 0.0


def _is_at_fault(state: AgentState) -> bool:
    """Whether the refusal is for what the user has just said, and for nothing that was paid for since."""
    outcome = state["outcome"]
    of_content = isinstance(outcome, RequestRefused) and outcome.status in OF_CONTENT
    return of_content and isinstance(state["messages"][-1], HumanMessage)


def _broken_off() -> list[AIMessage]:
    """What the user has read of an answer that did not come to its end is said, and paid for."""
    partial = current_run().partial
    return [AIMessage(partial)] if partial else []
