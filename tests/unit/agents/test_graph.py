from typing import cast

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from agents.graph import AgentState, Graph, build_graph
from agents.outcomes import IdentityRefused, Outcome, RequestRefused, Throttled, UpstreamFailed
from tests.unit.agents.doubles import NOON, SPENT, Model, answered

pytestmark = pytest.mark.anyio


def graph_of(model: Model) -> Graph:
    return build_graph(model, team="dba", system_prompt="Be brief.", checkpointer=InMemorySaver(), now=lambda: NOON)


async def turn(graph: Graph, text: str) -> AgentState:
    state = await graph.ainvoke({"messages": [HumanMessage(text)]}, {"configurable": {"thread_id": "c"}}, durability="exit")
    return cast(AgentState, state)


async def test_an_answer_is_the_reply_and_joins_the_conversation() -> None:
    model = Model(answered("first"), answered("second"))
    graph = graph_of(model)
    assert (await turn(graph, "q1"))["reply"] == "first"
    assert (await turn(graph, "q2"))["reply"] == "second"
    assert model.conversations[1] == [("system", "Be brief."), ("human", "q1"), ("ai", "first"), ("human", "q2")]


async def test_a_spent_budget_says_so_and_keeps_the_question() -> None:
    model = Model(SPENT, answered("at last"))
    graph = graph_of(model)
    state = await turn(graph, "q1")
    assert state["outcome"] == SPENT
    assert state["reply"].endswith("team='dba'.) It resets at 15:00 UTC, in 20 minutes.")
    assert (await turn(graph, "continue"))["reply"] == "at last"
    assert model.conversations[1] == [("system", "Be brief."), ("human", "q1"), ("human", "continue")]


@pytest.mark.parametrize("outcome", [UpstreamFailed(503), Throttled(429, None), IdentityRefused(401, "")])
async def test_a_failure_keeps_the_question(outcome: Outcome) -> None:
    model = Model(outcome, answered())
    graph = graph_of(model)
    await turn(graph, "q1")
    await turn(graph, "q2")
    assert model.conversations[1][1:] == [("human", "q1"), ("human", "q2")]


async def test_a_refused_request_does_not_stand_in_the_way_of_the_next() -> None:
    model = Model(answered("a"), RequestRefused(400, "too long"), answered("b"))
    graph = graph_of(model)
    await turn(graph, "q1")
    assert "too long" in (await turn(graph, "x" * 9))["reply"]
    await turn(graph, "q3")
    assert model.conversations[2][1:] == [("human", "q1"), ("ai", "a"), ("human", "q3")]


async def test_the_outcome_is_not_kept_from_turn_to_turn() -> None:
    graph = graph_of(Model(SPENT))
    await turn(graph, "q1")
    snapshot = await graph.aget_state({"configurable": {"thread_id": "c"}})
    assert set(snapshot.values) == {"messages"}


def test_the_nodes_are_the_ones_that_a_reader_expects() -> None:
    edges = {(edge.source, edge.target) for edge in graph_of(Model()).get_graph().edges}
    ends = {"answer", "budget_exhausted", "failed"}
    assert edges == {("__start__", "call_llm")} | {("call_llm", end) for end in ends} | {(end, "__end__") for end in ends}
