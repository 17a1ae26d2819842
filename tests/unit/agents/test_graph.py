import re
from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig

from agents.conversation import NOT_ANSWERED
from agents.graph import MOST_ROUNDS, AgentState, build_graph
from agents.kit import Graph
from agents.outcomes import Answered, IdentityRefused, Outcome, RequestRefused, Throttled, ToolsCalled, UpstreamFailed
from agents.run import Run
from agents.texts import TOO_MANY_STEPS
from tests.unit.agents.doubles import NOON, SPENT, Colleagues, Model, Purse, answered, kit, tools_called, within
from tests.unit.agents.own_graphs import section_of_the_readme

pytestmark = pytest.mark.anyio

THREAD = RunnableConfig(configurable={"thread_id": "c"}, recursion_limit=100)


def graph_of(model: Model, **changes: Any) -> Graph:
    return build_graph(kit(model, **changes), now=lambda: NOON)


async def turn(graph: Graph, text: str) -> AgentState:
    state = await graph.ainvoke({"messages": [HumanMessage(text)]}, THREAD, durability="exit")
    return cast(AgentState, state)


async def conversation(graph: Graph) -> list[tuple[str, object]]:
    messages = (await graph.aget_state(THREAD)).values.get("messages", [])
    return [(message.type, message.content) for message in messages]


async def test_an_answer_is_the_reply_and_joins_the_conversation() -> None:
    model = Model(answered("first"), answered("second"))
    graph = graph_of(model)
    assert (await turn(graph, "q1"))["reply"] == "first"
    assert (await turn(graph, "q2"))["reply"] == "second"
    assert model.conversations[1] == [("system", "Be brief."), ("human", "q1"), ("ai", "first"), ("human", "q2")]


async def test_a_spent_budget_says_so_asks_once_and_keeps_the_question() -> None:
    model = Model(SPENT, answered("at last"))
    graph = graph_of(model)
    state = await turn(graph, "q1")
    assert state["outcome"] == SPENT
    assert "team='dba'.) It resets at 15:00 UTC, in 20 minutes. " in state["reply"]
    assert len(model.conversations) == 1
    assert (await turn(graph, "continue"))["reply"] == "at last"
    assert model.conversations[1] == [("system", "Be brief."), ("human", "q1"), ("human", "continue")]


@pytest.mark.parametrize("outcome", [UpstreamFailed(503), Throttled(429, None), IdentityRefused(401, "")])
async def test_a_failure_keeps_the_question(outcome: Outcome) -> None:
    model = Model(outcome, answered())
    graph = graph_of(model)
    assert (await turn(graph, "q1"))["outcome"] == outcome
    await turn(graph, "q2")
    assert model.conversations[1][1:] == [("human", "q1"), ("human", "q2")]


@pytest.mark.parametrize(
    "outcome",
    [
        UpstreamFailed(200, reason="cut", partial="An ess"),
        SPENT,
        Throttled(429, None),
        IdentityRefused(401, ""),
        RequestRefused(200, ""),
        RequestRefused(503, ""),
    ],
)
async def test_what_the_user_has_read_of_an_answer_that_broke_off_is_kept_whatever_broke_it_off(outcome: Outcome) -> None:
    model = Model(outcome, answered("ay."))
    graph = graph_of(model)
    await within(Run(partial="An ess"), turn(graph, "q1"))
    await within(Run(), turn(graph, "continue"))
    assert model.conversations[1][1:] == [("human", "q1"), ("ai", "An ess"), ("human", "continue")]


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refused_message_does_not_stand_in_the_way_of_the_next(status: int) -> None:
    model = Model(answered("a"), RequestRefused(status, "too long"), answered("b"))
    graph = graph_of(model)
    await turn(graph, "q1")
    assert "too long" in (await turn(graph, "x" * 9))["reply"]
    await turn(graph, "q3")
    assert model.conversations[2][1:] == [("human", "q1"), ("ai", "a"), ("human", "q3")]


@pytest.mark.parametrize("status", [404, 429, 403, 200])
async def test_a_refusal_that_is_not_for_what_was_said_keeps_the_question(status: int) -> None:
    graph = graph_of(Model(RequestRefused(status, "no such model")))
    await turn(graph, "q1")
    assert await conversation(graph) == [("human", "q1")]


async def test_a_request_refused_after_tools_were_called_keeps_what_was_paid_for() -> None:
    model = Model(tools_called("oracle"), RequestRefused(400, "no tools here"), answered("b"))
    graph = graph_of(model, peers=Colleagues("oracle"))
    await turn(graph, "q1")
    said = [("human", "q1"), ("ai", ""), ("tool", 'oracle says {"message": "hi"}')]
    assert await conversation(graph) == said
    await turn(graph, "q2")
    assert model.conversations[-1][1:] == [*said, ("human", "q2")]


async def test_a_question_for_the_budget_costs_no_call_and_leaves_no_trace() -> None:
    model = Model(answered("a"))
    graph = graph_of(model)
    await turn(graph, "q1")
    state = await turn(graph, "How much budget is left?")
    assert state["reply"] == await Purse().describe()
    assert "outcome" not in state
    assert len(model.conversations) == 1
    assert await conversation(graph) == [("human", "q1"), ("ai", "a")]
    await turn(graph, "q2")
    assert model.conversations[1][1:] == [("human", "q1"), ("ai", "a"), ("human", "q2")]


async def test_peers_are_offered_called_together_and_heard() -> None:
    peers = Colleagues("oracle", "web")
    model = Model(tools_called("oracle", "web", text="Let me ask."), answered("so"))
    graph = graph_of(model, peers=peers)
    assert (await turn(graph, "q1"))["reply"] == "so"
    assert model.tools == [["oracle", "web"], ["oracle", "web"]]
    assert [(call.call_id, call.name, share) for call, share in peers.calls] == [("call-0", "oracle", 2), ("call-1", "web", 2)]
    assert model.conversations[1][1:] == [
        ("human", "q1"),
        ("ai", "Let me ask."),
        ("tool", 'oracle says {"message": "hi"}'),
        ("tool", 'web says {"message": "hi"}'),
    ]


async def test_peers_are_called_so_often_and_then_the_llm_must_answer() -> None:
    peers, model = Colleagues("oracle"), Model(*[tools_called("oracle")] * MOST_ROUNDS, answered("with what I have"))
    assert (await turn(graph_of(model, peers=peers), "q"))["reply"] == "with what I have"
    assert model.tools == [["oracle"]] * MOST_ROUNDS + [[]]
    assert len(peers.calls) == MOST_ROUNDS == 8


async def test_the_next_turn_may_call_peers_again() -> None:
    rounds = [tools_called("oracle")] * MOST_ROUNDS
    model = Model(*rounds, answered("a"), tools_called("oracle"), answered("b"))
    graph = graph_of(model, peers=Colleagues("oracle"))
    await turn(graph, "q1")
    await turn(graph, "q2")
    assert model.tools[MOST_ROUNDS + 1] == ["oracle"]


async def test_a_model_that_calls_tools_for_ever_comes_to_an_end_and_the_next_turn_goes_on() -> None:
    peers = Colleagues("oracle")
    model = Model(*[tools_called("oracle", text="Let me ask.")] * (MOST_ROUNDS + 1), answered("so"))
    graph = graph_of(model, peers=peers)
    state = await turn(graph, "q1")
    assert (state["reply"], state["outcome"]) == (TOO_MANY_STEPS, tools_called("oracle", text="Let me ask."))
    assert len(peers.calls) == MOST_ROUNDS
    assert len(model.conversations) == MOST_ROUNDS + 1
    assert (await turn(graph, "continue"))["reply"] == "so"
    assert model.conversations[-1][-2:] == [("tool", NOT_ANSWERED), ("human", "continue")]


async def test_a_budget_spent_after_tools_were_called_loses_none_of_their_answers() -> None:
    model = Model(tools_called("oracle"), SPENT, answered("so"))
    peers = Colleagues("oracle")
    graph = graph_of(model, peers=peers)
    await turn(graph, "q1")
    assert (await turn(graph, "continue"))["reply"] == "so"
    assert len(peers.calls) == 1
    assert model.conversations[2][1:] == [
        ("human", "q1"),
        ("ai", ""),
        ("tool", 'oracle says {"message": "hi"}'),
        ("human", "continue"),
    ]


async def test_a_call_that_was_cut_short_is_completed_for_the_wire() -> None:
    model = Model()
    cut = AIMessage("", tool_calls=[{"name": "oracle", "args": {}, "id": "1"}])
    await graph_of(model).ainvoke({"messages": [HumanMessage("q1"), cut, HumanMessage("continue")]}, THREAD)
    assert model.conversations[0][1:] == [("human", "q1"), ("ai", ""), ("tool", NOT_ANSWERED), ("human", "continue")]


async def test_what_is_of_one_turn_is_not_kept() -> None:
    graph = graph_of(Model(tools_called("oracle"), SPENT), peers=Colleagues("oracle"))
    await turn(graph, "q1")
    assert set((await graph.aget_state(THREAD)).values) == {"messages"}


def test_the_picture_in_the_readme_is_the_graphs() -> None:
    (picture,) = re.findall(r"```mermaid\n(.*?)```", section_of_the_readme("The agent's graph"), re.DOTALL)
    assert picture == graph_of(Model()).get_graph().draw_mermaid(with_styles=False)


def test_the_nodes_and_edges_are_the_ones_that_a_reader_expects() -> None:
    edges = {(edge.source, edge.target) for edge in graph_of(Model()).get_graph().edges}
    ends = {"answer", "budget_exhausted", "failed"}
    assert edges == (
        {("__start__", "tell_budget"), ("tell_budget", "__end__"), ("__start__", "call_llm")}
        | {("call_llm", end) for end in (*ends, "call_peers", "wait_for_refill")}
        | {("call_peers", "call_llm"), ("wait_for_refill", "call_llm")}
        | {(end, "__end__") for end in ends}
    )


@pytest.mark.parametrize("outcome", [answered("a"), tools_called("oracle"), SPENT, UpstreamFailed(None)])
def test_the_family_of_outcomes_is_one_that_a_graph_can_tell_apart(outcome: Outcome) -> None:
    assert isinstance(outcome, Outcome)
    assert isinstance(outcome, Answered | ToolsCalled) == hasattr(outcome, "usage")
