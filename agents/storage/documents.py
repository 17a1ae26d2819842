"""A task as it is stored: without the words of an answer that is still being written."""

from datetime import UTC, datetime
from uuid import uuid4

from a2a.types import Message, Part, Role, Task, TaskState, TaskStatus

from agents.tasks import has_ended, is_partial
from agents.texts import INTERRUPTED


def document_of(task: Task) -> Task:
    """What is stored. Takes partial messages out of the history of `task` itself: the SDK copies it for every event.

    The message of its status stays where it is, for that is what listeners are told.
    """
    history = task.history
    for index in range(len(history) - 1, -1, -1):
        if is_partial(history[index]):
            del history[index]
    if not is_partial(task.status.message):
        return task
    document = Task()
    document.CopyFrom(task)
    document.status.ClearField("message")
    return document


class Deltas:
    """Tells an event that brings words of an unfinished answer, and nothing else, from one that must be written."""

    def __init__(self) -> None:
        self._written: dict[str, tuple[object, ...]] = {}

    def nothing_else(self, task: Task, document: Task) -> bool:
        return is_partial(task.status.message) and self._written.get(task.id) == _outline(document)

    def written(self, document: Task) -> None:
        if has_ended(document):
            self.forget(document.id)
        else:
            self._written[document.id] = _outline(document)

    def forget(self, task_id: str) -> None:
        self._written.pop(task_id, None)


def _outline(document: Task) -> tuple[object, ...]:
    """What changes with any event but a partial message's: messages are only added, artifacts only grow.

    Not the whole of it, which may be megabytes.
    """
    artifacts = [(artifact.artifact_id, artifact.ByteSize()) for artifact in document.artifacts]
    messages = [message.message_id for message in document.history]
    return document.status.state, messages, artifacts, document.metadata.SerializeToString(deterministic=True)


def interrupted(task: Task) -> TaskStatus:
    """The status of a task whose replica is no more. What the task said last goes into its history, as the SDK does."""
    if task.status.HasField("message"):
        task.history.append(task.status.message)
    message = Message(
        message_id=str(uuid4()),
        context_id=task.context_id,
        task_id=task.id,
        role=Role.ROLE_AGENT,
        parts=[Part(text=INTERRUPTED)],
    )
    status = TaskStatus(state=TaskState.TASK_STATE_FAILED, message=message)
    status.timestamp.FromDatetime(datetime.now(UTC))
    task.status.CopyFrom(status)
    return status
