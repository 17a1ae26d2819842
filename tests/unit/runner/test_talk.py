from pathlib import Path

import pytest
from a2a.helpers import new_data_part, new_text_part
from a2a.types import Message, Part, TaskState, TaskStatus, TaskStatusUpdateEvent

from runner.chat import _find
from runner.talk import _is_note

WORKING = TaskState.TASK_STATE_WORKING


def update(part: Part, state: TaskState = WORKING, **metadata: bool) -> TaskStatusUpdateEvent:
    said = Message(message_id="m", parts=[part])
    said.metadata.update(metadata)
    return TaskStatusUpdateEvent(status=TaskStatus(state=state, message=said))


def test_what_an_agent_says_of_its_own_is_a_note() -> None:
    assert _is_note(update(new_text_part("The budget is spent. This task waits.")))


@pytest.mark.parametrize(
    "other",
    [
        update(new_text_part("Use an"), kagent_adk_partial=True),
        update(new_data_part({"id": "c1", "name": "support-agent"})),
        update(new_text_part("Sorry."), TaskState.TASK_STATE_FAILED),
        TaskStatusUpdateEvent(status=TaskStatus(state=WORKING)),
    ],
)
def test_words_of_an_answer_calls_of_tools_and_ends_are_none(other: TaskStatusUpdateEvent) -> None:
    assert not _is_note(other)


def test_an_agent_may_be_named_by_its_address(tmp_path: Path) -> None:
    assert _find(tmp_path, "http://127.0.0.1:8110") == "http://127.0.0.1:8110"
