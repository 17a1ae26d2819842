"""The SDK's request handler, out of which no exception comes but A2A's own errors."""

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from a2a.server.context import ServerCallContext
from a2a.server.events import Event
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    ListTasksResponse,
    Message,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
)
from a2a.utils.errors import A2AError, ContentTypeNotSupportedError, InternalError, InvalidParamsError

from agents.server.compat import INTERNAL

LONGEST_ID = 256

log = logging.getLogger(__name__)


class DiscreetHandler(DefaultRequestHandler):
    """The SDK tells callers the text of whatever exception: a database's address, a line of a graph's code."""

    async def on_get_task(self, params: GetTaskRequest, context: ServerCallContext) -> Task | None:
        with _discreetly("reading a task"):
            result: Task | None = await super().on_get_task(params, context)
            return result

    async def on_list_tasks(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        with _discreetly("listing tasks"):
            result: ListTasksResponse = await super().on_list_tasks(params, context)
            return result

    async def on_cancel_task(self, params: CancelTaskRequest, context: ServerCallContext) -> Task | None:
        with _discreetly("cancelling a task"):
            result: Task | None = await super().on_cancel_task(params, context)
            return result

    async def on_message_send(self, params: SendMessageRequest, context: ServerCallContext) -> Message | Task:
        _check(params.message)
        with _discreetly("answering a message"):
            result: Message | Task = await super().on_message_send(params, context)
            return result

    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event, None]:
        _check(params.message)
        with _discreetly("answering a message"):
            async for event in super().on_message_send_stream(params, context):
                yield event

    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event, None]:
        with _discreetly("following a task"):
            async for event in super().on_subscribe_to_task(params, context):
                yield event


@contextmanager
def _discreetly(doing: str) -> Iterator[None]:
    try:
        yield
    except A2AError:
        raise
    except Exception as error:
        log.exception("Failed at %s.", doing)
        raise InternalError(INTERNAL) from error


def _check(message: Message) -> None:
    """What the SDK does not: lengths, and parts that name no media type. Raises what the caller is told."""
    for name in ("message_id", "context_id", "task_id"):
        if len(getattr(message, name)) > LONGEST_ID:
            raise InvalidParamsError(f"message.{name} is longer than {LONGEST_ID} characters.")
    for number, part in enumerate(message.parts):
        match part.WhichOneof("content"):
            case None:
                raise InvalidParamsError(f"message.parts[{number}] holds neither text, data, raw bytes nor a url.")
            case "raw" | "url":
                raise ContentTypeNotSupportedError(f"message.parts[{number}] is a file: send text.")
