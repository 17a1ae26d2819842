import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from a2a.helpers import get_data_parts, get_message_text, new_data_part, new_text_part
from a2a.server.events import EventQueue
from a2a.types import Part, Task, TaskArtifactUpdateEvent, TaskState, TaskStatusUpdateEvent
from google.protobuf.json_format import MessageToDict
from langchain_core.messages import AnyMessage
from langgraph.errors import GraphRecursionError

from agents.kit import Tool
from agents.outcomes import (
    BudgetExhausted,
    IdentityRefused,
    Meter,
    Outcome,
    ToolCall,
)
from agents.progress import Said, ToolAnswered, ToolCalled
from agents.run import current_run
from agents.storage.store import Storage
from agents.texts import INTERNAL, NO_TEXT, TOO_MANY_STEPS
from tests.unit.agents.doubles import (
    BUDGET,
    SPENT,
    USAGE,
    Colleagues,
    Gateway,
    Model,
    answer,
    completion,
    llm_through,
    tools_called,
)
from tests.unit.agents.own_graphs import one_node
from tests.unit.agents.serving_agent import Heard, at_the_executor, last_status, message, reported, served

pytestmark = pytest.mark.anyio

COUNTS = {"promptTokenCount": 13, "candidatesTokenCount": 700, "totalTokenCount": 713}
OWN = {"prompt": 13, "completion": 700, "total": 713, "calls": 1}
NO_CALLS = {"prompt": 0, "completion": 0, "total": 0, "calls": 0}
METERED = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "900", "x-ratelimit-reset": "1200"}


async def test_an_answer_is_told_as_kagent_shows_it(storage: Storage) -> None:
    async with llm_through(Gateway(answer(200, completion(), METERED))) as llm, served(storage, llm) as agent:
        task, working, said, artifact, completed = await agent.events(message(context_id="c"))
    assert isinstance(task, Task)
    assert (task.context_id, task.status.state) == ("c", TaskState.TASK_STATE_SUBMITTED)
    assert task.status.HasField("timestamp")
    assert [get_message_text(each) for each in task.history] == ["hi"]
    assert isinstance(working, TaskStatusUpdateEvent)
    assert working.status.state == TaskState.TASK_STATE_WORKING
    assert not working.status.HasField("message")
    assert isinstance(said, TaskStatusUpdateEvent)
    assert get_message_text(said.status.message) == "An essay."
    assert MessageToDict(said.metadata) == MessageToDict(said.status.message.metadata) == {"kagent_usage_metadata": COUNTS}
    assert isinstance(artifact, TaskArtifactUpdateEvent)
    assert artifact.last_chunk
    assert not artifact.append
    assert [part.text for part in artifact.artifact.parts] == ["An essay."]
    assert isinstance(completed, TaskStatusUpdateEvent)
    assert completed.status.state == TaskState.TASK_STATE_COMPLETED
    assert not completed.status.HasField("message")
    assert MessageToDict(completed.metadata)["kagent_usage_metadata"] == COUNTS
    assert reported(completed) == {
        "usage": {"agent": "dba-agent", "own": OWN, "peers": [], "total": 713},
        "budget": {"limit": 5000, "remaining": 900, "reset": 1200, "unit": "tokens"},
        "warning": "Of the tightest budget 900 of 5,000 tokens are left.",
    }


async def test_a_spent_budget_fails_the_task_with_the_sentence_and_the_budget(storage: Storage) -> None:
    last = await last_status(storage, Model(SPENT))
    assert last.status.state == TaskState.TASK_STATE_FAILED
    assert get_message_text(last.status.message).startswith(
        "Sorry — your team's LLM token budget is exhausted. Please try again later. (HTTP 429 from the gateway; team='dba'.) "
    )
    assert get_data_parts(last.status.message.parts) == [{"budget": BUDGET}]
    assert reported(last)["usage"]["total"] == 0


async def test_what_was_used_before_a_failure_is_told(storage: Storage) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "oracle", "arguments": "{}"}}
    asking = completion() | {"choices": [{"message": {"content": "", "tool_calls": [call]}}]}
    gateway = Gateway(answer(200, asking, METERED), answer(404))
    async with llm_through(gateway) as llm:
        last = await last_status(storage, llm, peers=Colleagues("oracle"))
    assert last.status.state == TaskState.TASK_STATE_FAILED
    assert reported(last)["usage"]["own"] == OWN
    assert reported(last)["budget"]["remaining"] == 900


@pytest.mark.parametrize("budget", [None, {}, BUDGET | {"limit": float("inf")}, BUDGET | {"limit": 10**400}])
async def test_without_a_budget_that_can_be_passed_on_the_sentence_stands_alone(
    storage: Storage, budget: dict[str, Any] | None
) -> None:
    status = (await last_status(storage, Model(BudgetExhausted(429, budget, None, None, Meter())))).status
    assert status.state == TaskState.TASK_STATE_FAILED
    (part,) = status.message.parts
    assert part.text.startswith("Sorry — your team's LLM token budget is exhausted.")


async def test_another_failure_fails_the_task_with_a_sentence(storage: Storage) -> None:
    status = (await last_status(storage, Model(IdentityRefused(401, "Jwt is expired")))).status
    assert status.state == TaskState.TASK_STATE_FAILED
    (part,) = status.message.parts
    assert "HTTP 401: Jwt is expired" in part.text


@pytest.mark.parametrize("part", [new_text_part("  \n"), new_data_part({"a": 1})])
async def test_a_message_without_text_is_rejected_and_costs_nothing(storage: Storage, part: Part) -> None:
    model = Model()
    status = (await last_status(storage, model, message(part))).status
    assert status.state == TaskState.TASK_STATE_REJECTED
    assert get_message_text(status.message) == NO_TEXT
    assert model.conversations == []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"path": ["web", "dba-agent", "support"]}, "goes in a circle and is refused: dba-agent -> support -> dba-agent."),
        ({"path": ["a", "b", "c", "d"]}, "at most 4 may stand one above another"),
        ({"allowance": {"tokens": "many"}}, "The allowance that came with this message cannot be read"),
        ({"allowance": 7}, "The allowance that came with this message cannot be read"),
    ],
)
async def test_what_must_not_be_done_is_rejected_with_the_reason_and_costs_nothing(
    storage: Storage, said: dict[str, Any], why: str
) -> None:
    model = Model()
    last = await last_status(storage, model, message(said=said))
    assert last.status.state == TaskState.TASK_STATE_REJECTED
    assert why in get_message_text(last.status.message)
    assert reported(last)["usage"] == {"agent": "dba-agent", "own": NO_CALLS, "peers": [], "total": 0}
    assert model.conversations == []


async def test_as_many_hops_as_are_allowed_are_answered(storage: Storage) -> None:
    status = (await last_status(storage, Model(), message(said={"path": ["a", "b", "c"]}))).status
    assert status.state == TaskState.TASK_STATE_COMPLETED


async def test_an_allowance_of_nought_costs_nothing_and_fails_with_a_budget_of_its_own(storage: Storage) -> None:
    gateway = Gateway(answer(200, completion()))
    async with llm_through(gateway) as llm:
        status = (await last_status(storage, llm, message(said={"allowance": {"tokens": 0}}))).status
    assert gateway.requests == []
    assert status.state == TaskState.TASK_STATE_FAILED
    assert get_message_text(status.message).startswith("The allowance of 0 tokens that came with this task is spent.")
    assert get_data_parts(status.message.parts)[0]["budget"]["id"] == "allowance"


async def test_an_exception_in_the_graph_fails_the_task_and_shows_only_in_the_log(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(messages: Sequence[AnyMessage], tools: Sequence[Tool] = ()) -> Outcome:
        raise ValueError("the cupboard is bare")

    status = (await last_status(storage, broken)).status
    assert status.state == TaskState.TASK_STATE_FAILED
    assert get_message_text(status.message) == INTERNAL
    assert "the cupboard is bare" in caplog.text
    assert "Traceback" in caplog.text


async def test_a_turn_that_breaks_keeps_what_was_told_of_it_and_what_it_cost(storage: Storage) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "oracle", "arguments": "{}"}}
    asking = completion() | {"choices": [{"message": {"content": "Let me ask.", "tool_calls": [call]}}]}

    class Broken(Colleagues):
        async def call(self, call: ToolCall, share: int = 1) -> str:
            raise ValueError("the cupboard is bare")

    async with (
        llm_through(Gateway(answer(200, asking, METERED))) as llm,
        served(storage, llm, peers=Broken("oracle")) as agent,
    ):
        *_, said, failed = await agent.events(message())
    assert get_message_text(said.status.message) == "Let me ask."
    assert get_message_text(failed.status.message) == INTERNAL
    assert reported(failed)["usage"]["own"] == OWN
    assert reported(failed)["budget"]["remaining"] == 900


async def test_a_model_that_calls_tools_for_ever_fails_the_task(storage: Storage) -> None:
    async with served(storage, Model(tools_called("oracle", text="Let me ask.")), peers=Colleagues("oracle")) as agent:
        events = await agent.events(message())
    assert events[-1].status.state == TaskState.TASK_STATE_FAILED
    told = [get_message_text(event.status.message) for event in events if isinstance(event, TaskStatusUpdateEvent)]
    assert [text for text in told if text] == [TOO_MANY_STEPS]
    assert not any(isinstance(event, TaskArtifactUpdateEvent) for event in events)


async def test_a_graph_that_ends_with_calls_of_tools_has_not_answered(storage: Storage) -> None:
    graph = one_node(lambda _: {"outcome": tools_called("oracle"), "reply": "Let me ask."})
    async with served(storage, graph=graph) as agent:
        failed = (await agent.events(message()))[-1]
    assert failed.status.state == TaskState.TASK_STATE_FAILED


async def test_a_graph_in_a_circle_fails_the_task_in_words_of_its_own(storage: Storage) -> None:
    async def node(_: object) -> None:
        raise GraphRecursionError("Recursion limit of 250 reached")

    async with served(storage, graph=one_node(node)) as agent:
        failed = (await agent.events(message()))[-1]
    assert failed.status.state == TaskState.TASK_STATE_FAILED
    assert get_message_text(failed.status.message) == TOO_MANY_STEPS
    assert reported(failed)["usage"]["agent"] == "dba-agent"


async def test_a_context_that_became_anothers_meanwhile_fails_and_costs_nothing(storage: Storage) -> None:
    async with storage.turn("c", "alice"):
        pass
    model, heard = Model(), Heard()
    async with served(storage, model) as agent:
        await agent.executor.execute(at_the_executor(message()), cast(EventQueue, heard))
    assert heard.events[-1].status.state == TaskState.TASK_STATE_FAILED
    assert get_message_text(heard.events[-1].status.message) == INTERNAL
    assert model.conversations == []


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
async def test_no_exception_leaves_an_execution_that_nobody_takes_events_of(storage: Storage, taken: int) -> None:
    heard = Heard(break_after=taken)
    async with served(storage, Model()) as agent:
        await agent.executor.execute(at_the_executor(message()), cast(EventQueue, heard))
    assert len(heard.events) == taken


async def test_tools_that_are_called_are_told_before_the_answer(storage: Storage) -> None:
    async def node(_: object) -> dict[str, object]:
        run = current_run()
        run.tell(Said("", USAGE))
        run.tell(ToolCalled("1", "oracle", {"message": "hi"}))
        run.tell(ToolAnswered("1", "oracle", {"result": "yes"}))
        return {"reply": "So."}

    async with served(storage, graph=one_node(node)) as agent:
        _task, _working, called, heard, reply, artifact, _completed = await agent.events(message())
    (call,), (response,) = called.status.message.parts, heard.status.message.parts
    assert MessageToDict(call.metadata) == {"kagent_type": "function_call"}
    assert MessageToDict(response.metadata) == {"kagent_type": "function_response"}
    assert MessageToDict(called.metadata) == {"kagent_usage_metadata": COUNTS}
    assert get_message_text(reply.status.message) == artifact.artifact.parts[0].text == "So."


async def test_a_question_for_the_budget_is_answered_and_counts_nothing(storage: Storage) -> None:
    async with served(storage, Model()) as agent:
        _task, _working, said, artifact, completed = await agent.events(message(new_text_part("budget?")))
    assert get_message_text(said.status.message) == artifact.artifact.parts[0].text == "4,287 tokens are left."
    assert reported(completed)["usage"]["own"]["calls"] == 0
    assert "kagent_usage_metadata" not in MessageToDict(completed.metadata)


async def test_one_execution_does_not_hear_of_another(storage: Storage) -> None:
    async with llm_through(Gateway(answer(200, completion()))) as llm, served(storage, llm) as agent:
        ends = [events[-1] for events in await asyncio.gather(*(agent.events(message()) for _ in range(5)))]
    assert [reported(end)["usage"]["total"] for end in ends] == [713] * 5
