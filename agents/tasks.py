"""What the parts of the agent ask of an A2A task."""

from a2a.types import Message, Task, TaskState

TERMINAL = frozenset(
    {
        TaskState.TASK_STATE_COMPLETED,
        TaskState.TASK_STATE_FAILED,
        TaskState.TASK_STATE_CANCELED,
        TaskState.TASK_STATE_REJECTED,
    }
)

PARTIAL = "kagent_adk_partial"
"""kagent's key, true in the metadata of a message that holds the next few words: it is shown, and kept nowhere."""


def has_ended(task: Task) -> bool:
    return task.status.state in TERMINAL


def is_partial(message: Message) -> bool:
    fields = message.metadata.fields
    return PARTIAL in fields and fields[PARTIAL].bool_value
