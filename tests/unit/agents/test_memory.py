import asyncio
from collections.abc import Sequence

import pytest
from langchain_core.messages import AnyMessage

from agents.graph import build_graph
from agents.llm import CallLLM
from agents.memory import Conversations, ConversationSaver
from agents.outcomes import Outcome
from tests.unit.agents.doubles import SPENT, Model, answered

pytestmark = pytest.mark.anyio


def conversations(model: CallLLM, most: int = 10) -> tuple[Conversations, ConversationSaver]:
    saver = ConversationSaver()
    graph = build_graph(model, team="dba", system_prompt="Be brief.", checkpointer=saver)
    return Conversations(graph, saver, most), saver


async def test_a_context_remembers_and_another_does_not_hear_of_it() -> None:
    model = Model(answered("a"))
    talk, _ = conversations(model)
    await talk.say("one", "q1")
    await talk.say("two", "other")
    turn = await talk.say("one", "q2")
    assert turn.reply == "a"
    assert turn.outcome == answered("a")
    assert model.conversations[1][1:] == [("human", "other")]
    assert model.conversations[2][1:] == [("human", "q1"), ("ai", "a"), ("human", "q2")]


async def test_the_context_used_longest_ago_is_forgotten() -> None:
    model = Model()
    talk, saver = conversations(model, most=2)
    for context in ("one", "two", "one", "three"):
        await talk.say(context, "q")
    assert set(saver.storage) == {"one", "three"}
    await talk.say("two", "back")
    assert model.conversations[-1][1:] == [("human", "back")]


async def test_a_context_with_a_turn_under_way_is_not_forgotten() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    heard: list[int] = []

    async def model(messages: Sequence[AnyMessage]) -> Outcome:
        heard.append(len(messages))
        if messages[-1].content == "slow":
            begun.set()
            await go_on.wait()
        return answered()

    talk, saver = conversations(model, most=1)
    await talk.say("one", "q")
    slow = asyncio.ensure_future(talk.say("one", "slow"))
    await begun.wait()
    await talk.say("two", "q")
    again = asyncio.ensure_future(talk.say("one", "again"))
    await talk.say("three", "q")
    go_on.set()
    await slow
    await again
    assert heard == [2, 4, 2, 2, 6]
    assert set(saver.storage) == {"one"}


async def test_two_messages_at_once_in_one_context_follow_one_another() -> None:
    model = Model()
    talk, _ = conversations(model)
    await asyncio.gather(talk.say("c", "q1"), talk.say("c", "q2"), talk.say("c", "q3"))
    assert [len(conversation) for conversation in model.conversations] == [2, 4, 6]


async def test_memory_of_a_context_grows_with_its_messages_only() -> None:
    talk, saver = conversations(Model())
    sizes = []
    for _ in range(4):
        await talk.say("c", "q")
        sizes.append((len(saver.storage["c"][""]), len(saver.blobs), len(saver.writes)))
    assert len(set(sizes)) == 1
    assert sizes[0][0] == 1


async def test_a_cancelled_turn_leaves_the_question_and_frees_the_context() -> None:
    begun = asyncio.Event()
    model = Model()

    async def first_hangs(messages: Sequence[AnyMessage]) -> Outcome:
        if messages[-1].content == "hang":
            begun.set()
            await asyncio.Event().wait()
        return await model(messages)

    talk, _ = conversations(first_hangs)
    hanging = asyncio.ensure_future(talk.say("c", "hang"))
    await begun.wait()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    await talk.say("c", "next")
    assert model.conversations[-1][1:] == [("human", "hang"), ("human", "next")]


async def test_after_a_spent_budget_the_conversation_goes_on() -> None:
    model = Model(answered("a"), SPENT, answered("c"))
    talk, _ = conversations(model)
    for text in ("q1", "q2", "continue"):
        await talk.say("c", text)
    assert model.conversations[2][1:] == [("human", "q1"), ("ai", "a"), ("human", "q2"), ("human", "continue")]
