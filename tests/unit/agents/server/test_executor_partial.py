"""An answer that broke off after the user had read some of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from a2a.helpers import get_data_parts, get_message_text
from a2a.types import SendMessageRequest, TaskArtifactUpdateEvent, TaskState, TaskStatusUpdateEvent
from langchain_core.messages import AnyMessage

from agents.kit import Tool
from agents.outcomes import (
    Outcome,
    RequestRefused,
    Throttled,
    UpstreamFailed,
)
from agents.run import current_run
from agents.storage.store import Storage
from agents.tasks import PARTIAL
from tests.unit.agents.doubles import (
    BUDGET,
    DONE,
    SPENT,
    SPENT_BODY,
    STOP,
    Gateway,
    chunk,
    llm_through,
    streamed,
)
from tests.unit.agents.serving_agent import CALL, message, served

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "outcome",
    [UpstreamFailed(200, reason="ReadError", partial="An ess"), SPENT, Throttled(429, None), RequestRefused(200, "")],
)
async def test_what_the_user_has_read_of_an_answer_that_broke_off_is_an_artifact_of_a_failed_task(
    storage: Storage, outcome: Outcome
) -> None:
    async def model(messages: Sequence[AnyMessage], tools: Sequence[Tool] = ()) -> Outcome:
        current_run().partial = "An ess"
        return outcome

    async with served(storage, model) as agent:
        *_, artifact, failed = await agent.events(message())
    assert (artifact.artifact.name, artifact.artifact.parts[0].text) == ("part of an answer", "An ess")
    assert failed.status.state == TaskState.TASK_STATE_FAILED


async def test_a_budget_spent_while_the_user_reads_keeps_the_words_in_an_artifact_and_in_the_conversation(
    storage: Storage,
) -> None:
    async def streaming() -> AsyncIterator[bytes]:
        yield b"data: " + json.dumps(chunk("An ess")).encode() + b"\n\n"
        await read.wait()
        yield b"data: " + json.dumps(SPENT_BODY).encode() + b"\n\n"

    class Stream(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return streaming()

    read = asyncio.Event()
    kind = {"content-type": "text/event-stream"}
    gateway = Gateway(lambda: httpx.Response(200, headers=kind, stream=Stream()), streamed(chunk("ay."), STOP, DONE))
    async with llm_through(gateway) as llm, served(storage, llm) as agent:
        events = agent.handler.on_message_send_stream(SendMessageRequest(message=message(context_id="c")), CALL)
        async for event in events:
            if isinstance(event, TaskStatusUpdateEvent) and PARTIAL in event.status.message.metadata:
                read.set()
            if isinstance(event, TaskArtifactUpdateEvent):
                artifact = event
        task = await agent.stored(event.task_id)
        await agent.events(message(context_id="c"))
    assert (artifact.artifact.name, artifact.artifact.parts[0].text) == ("part of an answer", "An ess")
    assert task.status.state == TaskState.TASK_STATE_FAILED
    assert "(HTTP 200 from the gateway; team='dba'.)" in get_message_text(task.status.message)
    assert get_data_parts(task.status.message.parts) == [{"budget": BUDGET}]
    assert len(gateway.requests) == 2
    assert gateway.conversation()[1:] == [("user", "hi"), ("assistant", "An ess"), ("user", "hi")]
