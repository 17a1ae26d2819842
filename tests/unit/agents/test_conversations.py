import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphRecursionError
from langgraph.graph import START, StateGraph

from agents.conversation import NOT_ANSWERED
from agents.conversations import Conversations
from agents.graph import AgentState, build_graph
from agents.kit import CallLLM, Graph, Kit, Tool
from agents.lineage import Lineage
from agents.outcomes import Outcome, ToolCall
from agents.run import Run, current_run
from agents.storage.store import Storage, StrangerError
from tests.unit.agents.doubles import SPENT, Colleagues, Hanging, Model, answered, kit, tools_called
from tests.waiting import until

pytestmark = pytest.mark.anyio


def conversations(storage: Storage, model: CallLLM, **changes: Any) -> Conversations:
    return Conversations(build_graph(kit(model, checkpointer=storage.checkpointer, **changes)), storage)


def run_in(context: str, user: str = "") -> Run:
    return Run("dba-agent", context, "t", Lineage(user))


async def test_a_context_remembers_and_another_does_not_hear_of_it(storage: Storage) -> None:
    model = Model(answered("a"))
    talk = conversations(storage, model)
    await talk.say(run_in("one"), "q1")
    await talk.say(run_in("two"), "other")
    turn = await talk.say(run_in("one"), "q2")
    assert (turn.reply, turn.outcome) == ("a", answered("a"))
    assert model.conversations[1][1:] == [("human", "other")]
    assert model.conversations[2][1:] == [("human", "q1"), ("ai", "a"), ("human", "q2")]


async def test_two_messages_at_once_in_one_context_follow_one_another(storage: Storage) -> None:
    model = Model()
    talk = conversations(storage, model)
    await asyncio.gather(*(talk.say(run_in("c"), text) for text in ("q1", "q2", "q3")))
    assert [len(conversation) for conversation in model.conversations] == [2, 4, 6]


async def test_the_context_is_its_first_users(storage: Storage) -> None:
    model = Model()
    talk = conversations(storage, model)
    await talk.say(run_in("c", "alice"), "q1")
    for stranger in ("bob", ""):
        with pytest.raises(StrangerError):
            await talk.say(run_in("c", stranger), "what did she say?")
    assert len(model.conversations) == 1


async def test_each_turn_is_a_run_of_its_own_in_every_node(storage: Storage) -> None:
    runs: list[Run] = []

    async def model(messages: Sequence[AnyMessage], tools: Sequence[Tool] = ()) -> Outcome:
        runs.append(current_run())
        await asyncio.sleep(0)
        return answered()

    talk = conversations(storage, model)
    one, two = run_in("one"), run_in("two")
    await asyncio.gather(asyncio.create_task(talk.say(one, "q")), asyncio.create_task(talk.say(two, "q")))
    assert sorted(runs, key=lambda run: run.context_id) == [one, two]
    assert all(run is one or run is two for run in runs)


async def test_a_cancelled_turn_leaves_the_question_and_frees_the_context(storage: Storage) -> None:
    hanging = Hanging()
    turn = asyncio.ensure_future(conversations(storage, hanging).say(run_in("c"), "hang"))
    await hanging.begun.wait()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert hanging.ended.is_set()
    model = Model()
    await conversations(storage, model).say(run_in("c"), "next")
    assert model.conversations == [[("system", "Be brief."), ("human", "hang"), ("human", "next")]]


async def test_after_a_spent_budget_the_conversation_goes_on(storage: Storage) -> None:
    model = Model(answered("a"), SPENT, answered("c"))
    talk = conversations(storage, model)
    for text in ("q1", "q2", "continue"):
        await talk.say(run_in("c"), text)
    assert model.conversations[2][1:] == [("human", "q1"), ("ai", "a"), ("human", "q2"), ("human", "continue")]


async def test_what_was_paid_for_is_kept_while_the_turn_is_still_at_work(storage: Storage) -> None:
    begun = asyncio.Event()

    class Slow(Colleagues):
        async def call(self, call: ToolCall, share: int = 1) -> str:
            begun.set()
            await asyncio.Event().wait()
            raise AssertionError

    async def is_kept() -> bool:
        kept = await storage.checkpointer.aget_tuple(RunnableConfig(configurable={"thread_id": "c", "checkpoint_ns": ""}))
        messages = kept.checkpoint["channel_values"].get("messages", []) if kept else []
        return [message.content for message in messages] == ["q1", "Let me ask."]

    asking = Model(tools_called("oracle", text="Let me ask."))
    turn = asyncio.ensure_future(conversations(storage, asking, peers=Slow("oracle")).say(run_in("c"), "q1"))
    await begun.wait()
    await until(is_kept, "the step before", within=5)
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    model = Model()
    await conversations(storage, model).say(run_in("c"), "continue")
    assert model.conversations[0][1:] == [
        ("human", "q1"),
        ("ai", "Let me ask."),
        ("tool", NOT_ANSWERED),
        ("human", "continue"),
    ]


async def test_a_graph_without_end_is_ended(storage: Storage) -> None:
    def build(kit: Kit) -> Graph:
        graph = StateGraph(AgentState)
        graph.add_node("node", lambda _: {"reply": "again"})
        graph.add_edge(START, "node")
        graph.add_edge("node", "node")
        return graph.compile(checkpointer=kit.checkpointer)

    with pytest.raises(GraphRecursionError):
        await Conversations(build(kit(checkpointer=storage.checkpointer)), storage).say(run_in("c"), "q")


async def test_a_turn_has_begun_once_no_other_is_waited_for(storage: Storage) -> None:
    model = Hanging()
    talk = conversations(storage, model)
    one, two = run_in("c"), run_in("c")
    first = asyncio.ensure_future(talk.say(one, "q1"))
    await model.begun.wait()
    second = asyncio.ensure_future(talk.say(two, "q2"))
    await storage.owner("c")
    assert (one.begun, two.begun) == (True, False)
    model.go_on.set()
    await asyncio.gather(first, second)
    assert two.begun
