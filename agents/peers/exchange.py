"""One message to a peer, and the task that it makes there, until that ends."""

import asyncio
import logging
from contextlib import aclosing

from a2a.client import Client, ClientCallContext
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    Message,
    SendMessageConfiguration,
    SendMessageRequest,
    StreamResponse,
    Task,
    TaskState,
)
from a2a.utils.errors import A2AError

from agents.tasks import has_ended

log = logging.getLogger(__name__)

ASKING = frozenset({TaskState.TASK_STATE_INPUT_REQUIRED, TaskState.TASK_STATE_AUTH_REQUIRED})
"""The peer waits for its caller; nobody will answer in this task."""

SOONEST, LATEST = 0.1, 2.0
"""Seconds between two looks at a task."""

MOST_BLANKS = 5
"""Looks in a row that found nothing, before the task is given up: kagent's controller knows a task a little later."""

LAST_WORD = 1
"""Seconds that a peer gets to take a cancellation."""


class Exchange:
    """`task` is what is known of the task so far, without an id at first. `message` is an answer that is no task's."""

    def __init__(
        self,
        client: Client,
        context: ClientCallContext,
        *,
        streaming: bool,
    ) -> None:
        self._client = client
        self._context = context
        self._streaming = streaming
        self.task = Task()
        self.message: Message | None = None

    @property
    def over(self) -> bool:
        """Whether the peer has nothing left to do."""
        return self.message is not None or has_ended(self.task)

    @property
    def at_work(self) -> bool:
        """Whether there is a task to cancel."""
        return bool(self.task.id) and not self.over

    async def send(self, message: Message) -> None:
        """Returns once the task has ended or asks back. Raises A2AError, and what the SDK lets out besides.

        The id of the task is known from the first event on, so that it can be cancelled; a peer that cannot stream is asked to
        answer at once for that, and looked after. An answer that breaks off is not asked for again: it would be paid twice.
        """
        configuration = SendMessageConfiguration(return_immediately=not self._streaming)
        request = SendMessageRequest(message=message, configuration=configuration)
        try:
            async with aclosing(self._client.send_message(request, context=self._context)) as events:  # type: ignore[type-var]
                async for event in events:
                    self._read(event)
                    if self.at_work:
                        log.debug("Another agent works on task %s.", self.task.id)
                    if self._settled:
                        return
        except A2AError:
            if not self.task.id:
                raise
        if not self.task.id:
            raise ConnectionError("the peer hung up before it said anything")
        await self._follow()

    @property
    def _settled(self) -> bool:
        return self.over or self.task.status.state in ASKING

    async def _follow(self) -> None:
        """A stream that ends without an end is none: the peer was too busy, restarted, or hung up."""
        pause, blanks = SOONEST, 0
        while not self._settled:
            await asyncio.sleep(pause)
            pause = min(pause * 2, LATEST)
            request = GetTaskRequest(id=self.task.id, history_length=0)
            try:
                self.task.CopyFrom(await self._client.get_task(request, context=self._context))
                blanks = 0
            except A2AError:
                blanks += 1
                if blanks == MOST_BLANKS:
                    raise

    def _read(self, event: StreamResponse) -> None:
        match event.WhichOneof("payload"):
            case "task":
                self.task.CopyFrom(event.task)
            case "message":
                self.message = event.message
            case "status_update":
                self.task.id = self.task.id or event.status_update.task_id
                self.task.status.CopyFrom(event.status_update.status)
                self.task.metadata.MergeFrom(event.status_update.metadata)
            case "artifact_update":
                self.task.id = self.task.id or event.artifact_update.task_id
                self._keep_artifact(event)

    def _keep_artifact(self, event: StreamResponse) -> None:
        update = event.artifact_update
        known = next((each for each in self.task.artifacts if each.artifact_id == update.artifact.artifact_id), None)
        if known is None:
            self.task.artifacts.append(update.artifact)
        elif update.append:
            known.parts.extend(update.artifact.parts)
        else:
            known.CopyFrom(update.artifact)

    async def cancel(self) -> None:
        """So that the peer stops spending. Never raises but CancelledError: there is nobody left who could do better."""
        if not self.at_work:
            return
        try:
            async with asyncio.timeout(LAST_WORD):
                self.task.CopyFrom(await self._client.cancel_task(CancelTaskRequest(id=self.task.id), context=self._context))
        except Exception as error:
            log.warning("Task %s of another agent could not be cancelled and may go on: %.300r", self.task.id, error)
