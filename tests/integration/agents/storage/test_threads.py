"""Checkpoints of real graphs, on each storage."""

import asyncio
from collections.abc import AsyncIterator
from operator import add
from typing import Annotated, Any, Literal, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

from agents.kit import Graph
from agents.storage.open import open_storage
from agents.storage.store import Limits, Storage
from tests.integration.agents.storage.tasks import PLENTY

pytestmark = pytest.mark.anyio

THREAD: RunnableConfig = {"configurable": {"thread_id": "c"}}


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    reply: str
    outcome: object
    seen: Annotated[list[str], add]


@pytest.fixture
async def storage(url: str) -> AsyncIterator[Storage]:
    async with open_storage(url, PLENTY) as opened:
        yield opened


def chain(storage: Storage, steps: int = 3) -> Graph:
    builder = StateGraph(State)

    async def step(state: State) -> dict[str, object]:
        words = AIMessage(f"after {len(state['messages'])}")
        return {"messages": [words], "reply": "r", "outcome": 1, "seen": [state.get("reply", "nothing")]}

    previous = START
    for number in range(steps):
        builder.add_node(f"n{number}", step)
        builder.add_edge(previous, f"n{number}")
        previous = f"n{number}"
    builder.add_edge(previous, END)
    return builder.compile(checkpointer=storage.checkpointer)


async def say(
    storage: Storage, graph: Graph, text: str, durability: Literal["async", "exit", "sync"] = "async"
) -> dict[str, Any]:
    async with storage.turn("c", "alice"):
        return await graph.ainvoke({"messages": [HumanMessage(text)]}, THREAD, durability=durability)


@pytest.mark.parametrize("durability", ["async", "exit", "sync"])
async def test_a_conversation_goes_on_after_a_restart(url: str, durability: Literal["async", "exit", "sync"]) -> None:
    async with open_storage(url, PLENTY) as storage:
        await say(storage, chain(storage), "one", durability)
    async with open_storage(url, PLENTY) as storage:
        state = await say(storage, chain(storage), "two", durability)
    said = [message.text for message in state["messages"]]
    assert said == ["one", "after 1", "after 2", "after 3", "two", "after 5", "after 6", "after 7"]
    # What is of one turn is there in the turn, and gone in the next.
    assert state["seen"] == ["nothing", "r", "r"] * 2
    assert state["reply"] == "r"


async def test_only_the_last_checkpoint_is_kept(storage: Storage) -> None:
    graph = chain(storage)
    for text in ("one", "two", "three"):
        await say(storage, graph, text)
    kept = [found async for found in storage.checkpointer.alist(THREAD)]
    assert len(kept) == 1
    assert kept[0].parent_config is None
    assert kept[0].pending_writes == []
    assert not {"reply", "outcome"} & set(kept[0].checkpoint["channel_values"])
    assert (await graph.aget_state(THREAD)).values["seen"] == ["nothing", "r", "r"] * 3
    assert [found async for found in storage.checkpointer.alist(None, filter={"step": -7})] == []
    assert await storage.checkpointer.aget_tuple({"configurable": {"thread_id": "c", "checkpoint_id": "0"}}) is None


class Broken(Exception):
    pass


def fan(storage: Storage, ran: list[str], broken: list[str]) -> Graph:
    """Two nodes side by side, of which one fails once the other has written."""
    builder = StateGraph(State)
    wrote = asyncio.Event()

    async def good(state: State) -> dict[str, object]:
        ran.append("good")
        wrote.set()
        return {"seen": ["good"]}

    async def bad(state: State) -> dict[str, object]:
        ran.append("bad")
        if broken:
            await wrote.wait()
            raise Broken(broken.pop())
        return {"seen": ["bad"]}

    builder.add_node("good", good)
    builder.add_node("bad", bad)
    builder.add_edge(START, "good")
    builder.add_edge(START, "bad")
    return builder.compile(checkpointer=storage.checkpointer)


@pytest.mark.parametrize("durability", ["async", "exit", "sync"])
async def test_what_was_done_beside_a_failure_is_not_done_again(url: str, durability: Literal["async", "exit", "sync"]) -> None:
    ran: list[str] = []
    async with open_storage(url, PLENTY) as storage:
        with pytest.raises(Broken):
            async with storage.turn("c", "alice"):
                await fan(storage, ran, ["once"]).ainvoke({"messages": []}, THREAD, durability=durability)
    async with open_storage(url, PLENTY) as storage, storage.turn("c", "alice"):
        graph = fan(storage, ran, [])
        waiting = await graph.aget_state(THREAD)
        assert any(task.error for task in waiting.tasks)
        ran.clear()
        state = await graph.ainvoke(None, THREAD)
    assert ran == ["bad"]
    assert sorted(state["seen"]) == ["bad", "good"]


async def test_a_forgotten_context_begins_anew(url: str) -> None:
    async with open_storage(url, Limits(tasks=9, contexts=9, seconds=0)) as storage:
        graph = chain(storage)
        await say(storage, graph, "one")
        await storage.sweep()
        assert [found async for found in storage.checkpointer.alist(None)] == []
        state = await say(storage, graph, "two")
    assert next(message.text for message in state["messages"]) == "two"


async def test_a_thread_is_deleted_and_no_other(storage: Storage) -> None:
    graph = chain(storage)
    await say(storage, graph, "one")
    other: RunnableConfig = {"configurable": {"thread_id": "other"}}
    await graph.ainvoke({"messages": [HumanMessage("x")]}, other, durability="exit")
    await storage.checkpointer.adelete_thread("c")
    kept = [found async for found in storage.checkpointer.alist(None)]
    assert [found.config["configurable"]["thread_id"] for found in kept] == ["other"]


async def test_a_subgraph_keeps_what_it_remembers_and_no_more(storage: Storage) -> None:
    """One with a memory of its own goes on; a call of one without leaves nothing behind."""

    def counting(checkpointer: bool | None) -> Graph:
        inner = StateGraph(State)

        async def count(state: State) -> dict[str, object]:
            return {"seen": [f"inner {len(state.get('seen', []))}"]}

        inner.add_node("count", count)
        inner.add_edge(START, "count")
        return inner.compile(checkpointer=checkpointer)

    outer = StateGraph(State)
    outer.add_node("remembers", counting(True))
    outer.add_node("forgets", counting(None))
    outer.add_edge(START, "remembers")
    outer.add_edge("remembers", "forgets")
    graph: Graph = outer.compile(checkpointer=storage.checkpointer)
    for text in ("one", "two"):
        await say(storage, graph, text)
    namespaces = {
        found.config["configurable"]["checkpoint_ns"].partition(":")[0] async for found in storage.checkpointer.alist(THREAD)
    }
    assert namespaces == {"", "remembers"}
