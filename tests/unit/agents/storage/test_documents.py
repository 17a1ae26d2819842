import pytest
from a2a.types import Artifact, Message, Part, Task, TaskState, TaskStatus

from agents.storage.documents import Deltas, document_of, interrupted
from agents.tasks import TERMINAL, is_partial
from agents.texts import INTERRUPTED

WORKING = TaskState.TASK_STATE_WORKING


def message(text: str, **metadata: bool | str) -> Message:
    made = Message(message_id=text, parts=[Part(text=text)])
    made.metadata.update(metadata)
    return made


def at_work(*history: Message, status: Message | None = None) -> Task:
    return Task(id="t", context_id="c", status=TaskStatus(state=WORKING, message=status), history=history)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, False),
        ({"kagent_adk_partial": True}, True),
        ({"kagent_adk_partial": False}, False),
        ({"kagent_adk_partial": "yes"}, False),
    ],
)
def test_a_message_is_partial_where_it_says_so(metadata: dict[str, bool | str], expected: bool) -> None:
    assert is_partial(message("m", **metadata)) is expected


def test_partial_messages_go_out_of_the_history_of_the_live_task_and_stay_in_its_status() -> None:
    some = message("some", kagent_adk_partial=True)
    task = at_work(some, message("a"), some, some, message("b"), some, status=some)
    document = document_of(task)
    assert [kept.message_id for kept in task.history] == ["a", "b"]
    assert [kept.message_id for kept in document.history] == ["a", "b"]
    assert task.status.message == some
    assert not document.status.HasField("message")
    assert document.status.state == WORKING


def test_a_whole_message_in_the_status_is_stored() -> None:
    task = at_work(status=message("whole"))
    assert document_of(task).status.message.message_id == "whole"


def nothing_else(deltas: Deltas, task: Task) -> bool:
    return deltas.nothing_else(task, document_of(task))


def test_a_delta_is_nothing_else_until_something_changes() -> None:
    deltas = Deltas()
    task = at_work(message("q"), status=message("wo", kagent_adk_partial=True))
    assert not nothing_else(deltas, task)
    deltas.written(document_of(task))
    task.status.timestamp.seconds = 7
    task.status.message.CopyFrom(message("rds", kagent_adk_partial=True))
    assert nothing_else(deltas, task)
    deltas.forget("t")
    assert not nothing_else(deltas, task)


def test_what_comes_with_a_delta_is_more_than_a_delta() -> None:
    def changed(field: str) -> Task:
        task = at_work(message("q"), status=message("wo", kagent_adk_partial=True))
        match field:
            case "state":
                task.status.state = TaskState.TASK_STATE_INPUT_REQUIRED
            case "history":
                task.history.append(message("a"))
            case "artifacts":
                task.artifacts.append(Artifact(artifact_id="a"))
            case "metadata":
                task.metadata.update({"a": 1})
            case "message":
                task.status.message.CopyFrom(message("whole"))
        return task

    deltas = Deltas()
    deltas.written(document_of(changed("nothing")))
    assert nothing_else(deltas, changed("nothing"))
    for field in ("state", "history", "artifacts", "metadata", "message"):
        assert not nothing_else(deltas, changed(field)), field


def test_nothing_is_remembered_of_a_task_that_has_ended() -> None:
    deltas = Deltas()
    task = at_work()
    deltas.written(task)
    for state in TERMINAL:
        task.status.state = state
        deltas.written(task)
    assert vars(deltas) == {"_written": {}}


def test_a_task_that_was_interrupted_says_so_and_keeps_what_it_said() -> None:
    task = at_work(message("q"), status=message("I look it up."))
    status = interrupted(task)
    assert task.status == status
    assert status.state == TaskState.TASK_STATE_FAILED
    assert status.HasField("timestamp")
    assert (status.message.parts[0].text, status.message.task_id, status.message.context_id) == (INTERRUPTED, "t", "c")
    assert [kept.message_id for kept in task.history] == ["q", "I look it up."]


def test_a_task_that_was_interrupted_before_it_said_anything_has_no_empty_message() -> None:
    task = at_work(message("q"))
    interrupted(task)
    assert len(task.history) == 1
