import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from a2a.helpers import get_data_parts, get_message_text, new_data_part, new_text_part
from a2a.server.events import EventQueue
from a2a.types import Part, Task, TaskArtifactUpdateEvent, TaskState, TaskStatusUpdateEvent
from google.protobuf.json_format import MessageToDict
from langchain_core.messages import AnyMessage

from agents.kit import Tool
from agents.outcomes import BudgetExhausted, IdentityRefused, Meter, Outcome, UpstreamFailed
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


async def test_what_came_of_an_answer_that_broke_off_is_an_artifact_of_a_failed_task(storage: Storage) -> None:
    async with served(storage, Model(UpstreamFailed(200, reason="ReadError", partial="An ess"))) as agent:
        *_, artifact, failed = await agent.events(message())
    assert (artifact.artifact.name, artifact.artifact.parts[0].text) == ("part of an answer", "An ess")
    assert failed.status.state == TaskState.TASK_STATE_FAILED
    assert "broke off (ReadError)" in get_message_text(failed.status.message)


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
    status = (await last_status(storage, model, message(said=said))).status
    assert status.state == TaskState.TASK_STATE_REJECTED
    assert why in get_message_text(status.message)
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


async def test_a_graph_in_a_circle_fails_the_task_in_words_of_its_own(storage: Storage) -> None:
    last = await last_status(storage, Model(tools_called("oracle")), peers=Colleagues("oracle"))
    assert last.status.state == TaskState.TASK_STATE_FAILED
    assert get_message_text(last.status.message) == TOO_MANY_STEPS


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
