"""A task as kagent's controller stores it, and as kagent's UI reads it back after a reload: A2A 0.3 JSON."""

from typing import Any

from a2a.compat.v0_3.conversions import to_compat_task
from a2a.types import Message, Part, Role, Task
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer

from agents.tasks import has_ended, is_partial


def to_pushed(task: Task) -> dict[str, Any]:
    """The JSON of `POST /api/tasks`; `task` stays as it is.

    The UI reads nothing but the history, so that the last status message of a task that has ended is there too.
    """
    copy = Task()
    copy.CopyFrom(task)
    said = copy.status.message
    if has_ended(copy) and said.message_id and all(message.message_id != said.message_id for message in copy.history):
        copy.history.append(said)
    if not copy.status.HasField("timestamp"):
        copy.status.timestamp.GetCurrentTime()
    _keep_whole(copy.history)
    _keep_full(said.parts)
    if not said.parts or is_partial(said):
        copy.status.ClearField("message")
    for artifact in copy.artifacts:
        _keep_full(artifact.parts)
    return to_compat_task(copy).model_dump(mode="json", by_alias=True, exclude_none=True)


def _keep_whole(history: RepeatedCompositeFieldContainer[Message]) -> None:
    """Drops the pieces of messages, and messages that say nothing at all."""
    for message in history:
        _keep_full(message.parts)
        if not message.parts and message.HasField("metadata"):
            # It carries usage, which the UI adds up from the history; an empty list of parts is one that it cannot read.
            message.parts.add(text=" ")
    whole = [message for message in history if message.parts and not is_partial(message)]
    del history[:]
    history.extend(whole)


def _keep_full(parts: RepeatedCompositeFieldContainer[Part]) -> None:
    """The controller turns an empty text into an empty data part; a part without content is none in 0.3."""
    full = [part for part in parts if part.WhichOneof("content") not in (None, "text") or part.text]
    if len(full) < len(parts):
        del parts[:]
        parts.extend(full)


def title(task: Task) -> str:
    """What a session is called in the UI's list: the first words of its user, 20 characters at most."""
    for message in task.history:
        if message.role == Role.ROLE_USER:
            return " ".join(" ".join(part.text for part in message.parts).split())[:20]
    return ""
