"""Talking to an agent over A2A, as any other client would."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
from a2a.client import A2AClientError, ClientConfig, ClientFactory
from a2a.helpers import get_artifact_text, get_message_text, new_text_message
from a2a.types import GetTaskRequest, Role, SendMessageRequest, Task, TaskState, TaskStatusUpdateEvent

from runner.health import http_ok
from runner.starting import poll

BACK = 15.0
"""Seconds within which an agent that died should be back."""

PATIENCE = httpx.Timeout(300, connect=5)
"""The SDK's own 5 s, which also bound the pause between two events of a stream, are less than an LLM may think."""


class NoAgentError(Exception):
    """No agent answers; the text is one sentence that names the address."""


@dataclass(frozen=True)
class Reply:
    """What the agent answered, and whether its task completed."""

    text: str
    completed: bool
    context_id: str


class Agent:
    """One agent at one address. Use it with `async with`, or close it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = httpx.AsyncClient(timeout=PATIENCE, trust_env=False)
        self._factory = ClientFactory(ClientConfig(httpx_client=self._http, streaming=True))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self, text: str, context_id: str | None = None, note: Callable[[str], None] = lambda _: None) -> Reply:
        """One message in a conversation, a new one where no context is named. Raises NoAgentError.

        `note` is called with what the agent says meanwhile, such as that it waits for its budget.
        """
        message = new_text_message(text, role=Role.ROLE_USER, context_id=context_id)
        try:
            client = await self._factory.create_from_url(self._url)
            async for event in client.send_message(SendMessageRequest(message=message)):
                if event.HasField("task"):
                    task_id = event.task.id
                elif _is_note(event.status_update):
                    note(get_message_text(event.status_update.status.message))
            return _reply(await client.get_task(GetTaskRequest(id=task_id)))
        except (A2AClientError, httpx.HTTPError) as error:
            remedy = "It may be starting anew: try again in a few seconds"
            raise NoAgentError(f"No agent answers at {self._url}: {str(error).rstrip('.')}. {remedy}.") from error


async def ask_once_more(url: str, text: str) -> Reply:
    """The reply of an agent that may die meanwhile: it is asked again when it is back. Raises NoAgentError if it is not."""
    async with Agent(url) as agent:
        try:
            return await agent.ask(text)
        except NoAgentError:
            with suppress(TimeoutError):
                async with asyncio.timeout(BACK):
                    await poll(http_ok(f"{url}/health"))
            return await agent.ask(text)


def _is_note(update: TaskStatusUpdateEvent) -> bool:
    """Not a piece of an answer, nor what a call of the LLM or of a tool came to: those carry metadata."""
    said = update.status.message
    return update.status.state == TaskState.TASK_STATE_WORKING and not said.metadata.fields and bool(get_message_text(said))


def _reply(task: Task) -> Reply:
    completed = task.status.state == TaskState.TASK_STATE_COMPLETED
    words = [get_artifact_text(artifact) for artifact in task.artifacts] or [get_message_text(task.status.message)]
    return Reply("\n".join(words), completed, task.context_id)
