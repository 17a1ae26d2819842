"""What becomes of a graph of one's own: what it may leave out, and what it is told where it is wrong."""

import logging
from collections.abc import Iterator
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, RemoveMessage
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.event_hooks import SerdeEvent, register_serde_event_listener
from langgraph.graph import START, StateGraph, add_messages
from langgraph.types import interrupt

from agents.app import create_agent
from agents.conversations import Conversations
from agents.extension import URI
from agents.graph import AgentState
from agents.kit import Graph, GraphBuilder, Kit
from agents.outcomes import Outcome
from agents.run import Run
from agents.storage.store import Storage
from agents.texts import INTERNAL
from agents.turn import GraphError, Turn
from tests.unit.agents.doubles import SPENT, SPENT_BODY, Gateway, Reply, answer, answered, completion, kit, settings
from tests.unit.agents.own_graphs import code_in_the_readme, one_node
from tests.unit.agents.test_app import client_of, task_of

pytestmark = pytest.mark.anyio


class PlainState(TypedDict):
    """As a developer writes it who has read of no other channel."""

    messages: Annotated[list[AnyMessage], add_messages]
    reply: str
    outcome: Outcome


class Replaced(TypedDict):
    messages: list[AnyMessage]


class Deltas(TypedDict):
    messages: Annotated[list[AnyMessage], DeltaChannel(add_messages)]


class Nothing(TypedDict):
    question: str


class Talk:
    """Turns of one graph in one context."""

    def __init__(self, storage: Storage, graph: GraphBuilder) -> None:
        self._conversations = Conversations(graph(kit(checkpointer=storage.checkpointer)), storage)

    async def say(self, text: str) -> Turn:
        return await self._conversations.say(Run("dba-agent", "c", "t"), text)


def only_once(update: dict[str, object]) -> Any:
    """A node that returns `update` in its first turn, and in later ones nothing."""
    turns = [update]
    return lambda _: turns.pop() if turns else {}


async def status_and_log(
    storage: Storage, graph: GraphBuilder, caplog: pytest.LogCaptureFixture
) -> tuple[dict[str, Any], list[str]]:
    caplog.set_level(logging.WARNING)
    async with client_of(storage, graph=graph) as client:
        task = await task_of(client)
    assert not any(record.exc_info for record in caplog.records)
    return task["status"], [record.getMessage() for record in caplog.records]


async def test_a_reply_without_a_call_to_the_llm_completes_the_task(storage: Storage) -> None:
    async with client_of(storage, graph=one_node(lambda _: {"reply": "Hello."})) as client:
        task = await task_of(client)
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    assert task["artifacts"][0]["parts"] == [{"text": "Hello."}]
    assert task["metadata"][URI]["usage"]["own"]["calls"] == 0


async def test_without_a_reply_the_models_last_message_of_the_turn_is_read(storage: Storage) -> None:
    said = {"messages": [AIMessage("Let me see."), AIMessage([{"type": "text", "text": "Use an index."}])]}
    turn = await Talk(storage, one_node(lambda _: said)).say("hi")
    assert (turn.reply, turn.outcome) == ("Use an index.", None)


async def test_what_the_output_schema_leaves_out_is_found_all_the_same(storage: Storage) -> None:
    talk = Talk(storage, one_node(lambda _: {"reply": "Sorry.", "outcome": SPENT}, output=Replaced))
    turn = await talk.say("hi")
    assert (turn.reply, turn.outcome) == ("Sorry.", SPENT)


async def test_a_turn_that_leaves_nothing_does_not_find_the_last_turns_reply_or_outcome(storage: Storage) -> None:
    update = {"reply": "first", "outcome": answered(), "messages": [AIMessage("first")]}
    talk = Talk(storage, one_node(only_once(update), PlainState))
    assert (await talk.say("q1")).outcome == answered()
    with pytest.raises(GraphError, match="nothing for the user to read"):
        await talk.say("q2")


async def test_a_turn_without_an_outcome_does_not_find_the_last_turns(storage: Storage) -> None:
    updates = [{"reply": "second"}, {"reply": "first", "outcome": SPENT}]
    talk = Talk(storage, one_node(lambda _: updates.pop(), PlainState))
    assert (await talk.say("q1")).outcome == SPENT
    turn = await talk.say("q2")
    assert (turn.reply, turn.outcome) == ("second", None)


async def test_a_graph_that_drops_the_question_does_not_answer_with_an_earlier_turn(storage: Storage) -> None:
    def node(state: AgentState) -> dict[str, object]:
        if len(state["messages"]) == 1:
            return {"messages": [AIMessage("first")]}
        return {"messages": [RemoveMessage(id=str(state["messages"][-1].id))]}

    talk = Talk(storage, one_node(node))
    await talk.say("q1")
    with pytest.raises(GraphError, match="nothing for the user to read"):
        await talk.say("q2")


@pytest.fixture
def complaints() -> Iterator[list[SerdeEvent]]:
    """What LangGraph has against types that it reads from a checkpoint; its log tells each only once a process."""
    events: list[SerdeEvent] = []
    forget = register_serde_event_listener(events.append)
    yield events
    forget()


async def test_langgraph_has_nothing_against_plain_channels(storage: Storage, complaints: list[SerdeEvent]) -> None:
    talk = Talk(storage, one_node(lambda _: {"reply": "a", "outcome": SPENT}, PlainState))
    await talk.say("q1")
    await talk.say("q2")
    assert complaints == []


async def test_nor_where_a_node_fails_beside_one_that_left_its_outcome(storage: Storage, complaints: list[SerdeEvent]) -> None:
    def broken(state: PlainState) -> dict[str, object]:
        raise ValueError("the cupboard is bare")

    def build(kit: Kit) -> Graph:
        graph = StateGraph(PlainState)
        graph.add_node("good", lambda _: {"outcome": SPENT})
        graph.add_node("bad", broken)
        graph.add_edge(START, "good")
        graph.add_edge(START, "bad")
        return graph.compile(checkpointer=kit.checkpointer)

    talk = Talk(storage, build)
    with pytest.raises(ValueError, match="bare"):
        await talk.say("q1")
    assert complaints == []


@pytest.mark.parametrize(
    ("update", "sentence"),
    [
        ({}, "nothing for the user to read: a node must leave a text in `reply`, or an AIMessage with text"),
        ({"reply": "  "}, "nothing for the user to read"),
        ({"reply": AIMessage("hi")}, "nothing for the user to read"),
        ({"messages": [AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "1"}])]}, "nothing for the user to read"),
        ({"reply": "hi", "outcome": "done"}, "an `outcome` of type str: leave what call_llm returned, or leave it out."),
    ],
)
async def test_a_graph_that_leaves_too_little_fails_the_task_and_the_log_says_what_to_leave(
    storage: Storage, update: dict[str, object], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    status, log = await status_and_log(storage, one_node(lambda _: update), caplog)
    assert (status["state"], status["message"]["parts"]) == ("TASK_STATE_FAILED", [{"text": INTERNAL}])
    (line,) = log
    assert sentence in line


async def test_messages_that_replace_one_another_are_no_reply(storage: Storage) -> None:
    talk = Talk(storage, one_node(lambda _: {"messages": [AIMessage("hi")]}, Replaced))
    with pytest.raises(GraphError, match="after the user's message in `messages`"):
        await talk.say("q")


def ask_back(_: AgentState) -> dict[str, object]:
    return {"reply": interrupt("Which database?")}


async def test_an_interrupt_fails_the_task_and_the_log_says_why(storage: Storage, caplog: pytest.LogCaptureFixture) -> None:
    status, log = await status_and_log(storage, one_node(ask_back), caplog)
    assert (status["state"], status["message"]["parts"]) == ("TASK_STATE_FAILED", [{"text": INTERNAL}])
    (line,) = log
    assert "stopped at an interrupt(), but a turn cannot stop half-way" in line


async def test_after_an_interrupt_the_next_message_begins_a_turn_of_its_own(storage: Storage) -> None:
    def node(state: AgentState) -> dict[str, object]:
        return ask_back(state) if state["messages"][-1].content == "ask" else {"reply": str(len(state["messages"]))}

    talk = Talk(storage, one_node(node))
    for _ in range(3):
        with pytest.raises(GraphError, match="interrupt"):
            await talk.say("ask")
    assert (await talk.say("q")).reply == "4"


@pytest.mark.parametrize(
    ("graph", "sentence"),
    [
        (one_node(lambda _: {}, Nothing), "has no `messages`"),
        (one_node(lambda _: {}, Deltas), "uses a DeltaChannel"),
        (
            one_node(lambda _: {}, checkpointer=None),
            r"end the builder with `return graph.compile\(checkpointer=kit\.checkpointer\)`",
        ),
        (one_node(lambda _: {}, checkpointer=InMemorySaver()), "would remember nothing"),
        (one_node(lambda _: {}, interrupt_before=["node"]), "interrupt_before or interrupt_after"),
        (one_node(lambda _: {}, interrupt_after=["node"]), "interrupt_before or interrupt_after"),
    ],
)
async def test_a_graph_that_cannot_be_served_is_refused_at_once(storage: Storage, graph: GraphBuilder, sentence: str) -> None:
    with pytest.raises(GraphError, match=sentence):
        create_agent(settings(), storage, graph)


async def answers_of_the_readmes_agent(
    storage: Storage, *answers: Reply, turns: int = 1
) -> tuple[list[dict[str, Any]], Gateway]:
    """The tasks of one conversation, and the gateway that was asked."""
    names: dict[str, Any] = {"__name__": "my_agent"}
    exec(code_in_the_readme(), names)  # noqa: S102 - it is ours
    gateway = Gateway(*answers)
    async with client_of(storage, gateway, names["build_graph"]) as client:
        tasks = [await task_of(client, f"q{turn + 1}", contextId="c") for turn in range(turns)]
    return tasks, gateway


async def test_the_readmes_graph_answers_with_its_second_step(storage: Storage) -> None:
    (task,), gateway = await answers_of_the_readmes_agent(
        storage, answer(200, completion("Long.")), answer(200, completion("Short."))
    )
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    assert [artifact["parts"] for artifact in task["artifacts"]] == [[{"text": "Short."}]]
    assert gateway.conversation(0)[1:] == [("user", "q1")]
    assert gateway.conversation(1)[1:] == [("user", "q1"), ("assistant", "Long."), ("user", "Say that in two sentences.")]


async def test_the_readmes_graph_asks_no_second_time_where_the_budget_is_spent(storage: Storage) -> None:
    (task,), gateway = await answers_of_the_readmes_agent(storage, answer(429, SPENT_BODY))
    assert task["status"]["state"] == "TASK_STATE_FAILED"
    assert len(gateway.requests) == 1


async def test_a_budget_spent_in_the_readmes_second_step_is_told_and_the_draft_is_not_lost(storage: Storage) -> None:
    (refused, task), gateway = await answers_of_the_readmes_agent(
        storage, answer(200, completion("Long.")), answer(429, SPENT_BODY), answer(200, completion("At last.")), turns=2
    )
    assert refused["status"]["state"] == "TASK_STATE_FAILED"
    text, data = refused["status"]["message"]["parts"]
    assert text["text"].startswith("Sorry — your team's LLM token budget is exhausted. ")
    assert data["data"]["budget"]["subject"] == {"team": "dba"}
    assert "artifacts" not in refused
    assert gateway.conversation(2)[1:] == [("user", "q1"), ("assistant", "Long."), ("user", "q2")]
    assert task["artifacts"][0]["parts"] == [{"text": "At last."}]
