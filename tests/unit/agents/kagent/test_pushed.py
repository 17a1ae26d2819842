from datetime import datetime
from typing import Any

import pytest
from a2a.compat.v0_3 import types as types_v03
from a2a.helpers import new_data_part, new_text_part
from a2a.types import Artifact, Part, Role, TaskState

from agents.kagent.pushed import title, to_pushed
from agents.tasks import PARTIAL
from tests.unit.agents.kagent.doubles import a_task, said

AGENT = Role.ROLE_AGENT
FAILED = TaskState.TASK_STATE_FAILED


def texts(task: dict[str, Any]) -> list[str]:
    return [part["text"] for message in task["history"] for part in message["parts"]]


def test_it_is_a_task_of_a2a_0_3() -> None:
    task = a_task(TaskState.TASK_STATE_COMPLETED)
    task.artifacts.append(Artifact(artifact_id="a", parts=[new_text_part("Use an index.")]))
    task.metadata.update({"kagent_usage_metadata": {"totalTokenCount": 713}})
    pushed = to_pushed(task)
    assert types_v03.Task.model_validate(pushed)
    assert (pushed["kind"], pushed["id"], pushed["contextId"]) == ("task", "t1", "c1")
    assert pushed["status"]["state"] == "completed"
    assert pushed["history"][0]["kind"] == "message"
    assert pushed["history"][0]["role"] == "user"
    assert pushed["history"][0]["parts"] == [{"kind": "text", "text": "Why is my\nquery slow today?"}]
    assert pushed["artifacts"] == [{"artifactId": "a", "parts": [{"kind": "text", "text": "Use an index."}]}]
    assert pushed["metadata"] == {"kagent_usage_metadata": {"totalTokenCount": 713}}


@pytest.mark.parametrize("known", [True, False])
def test_its_time_has_a_zone(known: bool) -> None:
    task = a_task()
    if not known:
        task.status.ClearField("timestamp")
    assert datetime.fromisoformat(to_pushed(task)["status"]["timestamp"]).tzinfo


def test_the_last_words_of_a_task_that_has_ended_are_in_the_history_of_the_copy_alone() -> None:
    task = a_task(FAILED)
    task.status.message.CopyFrom(said("Sorry", AGENT))
    before = task.SerializeToString(deterministic=True)
    assert texts(to_pushed(task)) == ["Why is my\nquery slow today?", "Sorry"]
    assert task.SerializeToString(deterministic=True) == before


def test_last_words_that_are_in_the_history_already_are_not_said_twice() -> None:
    task = a_task(FAILED)
    task.history.append(said("Sorry", AGENT))
    task.status.message.CopyFrom(task.history[-1])
    assert texts(to_pushed(task))[1:] == ["Sorry"]


def test_a_task_at_work_has_not_said_its_last() -> None:
    task = a_task()
    task.status.message.CopyFrom(said("Still waiting", AGENT))
    assert texts(to_pushed(task)) == ["Why is my\nquery slow today?"]


@pytest.mark.parametrize("key", [PARTIAL])
def test_pieces_of_messages_are_left_out(key: str) -> None:
    task = a_task()
    task.history.extend([said("Use", AGENT, key), said("Use an index.", AGENT)])
    task.status.message.CopyFrom(said("Use", AGENT, key))
    pushed = to_pushed(task)
    assert texts(pushed)[1:] == ["Use an index."]
    assert "message" not in pushed["status"]


def test_empty_texts_are_left_out() -> None:
    task = a_task()
    whole = said("Here", AGENT)
    whole.parts.insert(0, new_text_part(""))
    whole.parts.append(Part())
    whole.parts.append(new_data_part({"a": 1}))
    task.history.extend([said("", AGENT), whole])
    task.artifacts.append(Artifact(artifact_id="a", parts=[new_text_part(""), new_text_part("x")]))
    pushed = to_pushed(task)
    assert [message["parts"] for message in pushed["history"][1:]] == [
        [{"kind": "text", "text": "Here"}, {"kind": "data", "data": {"a": 1}}]
    ]
    assert [part["text"] for part in pushed["artifacts"][0]["parts"]] == ["x"]


def test_a_message_without_words_keeps_its_usage() -> None:
    task = a_task()
    message = said("", AGENT)
    message.metadata.update({"kagent_usage_metadata": {"totalTokenCount": 7}})
    task.history.append(message)
    kept = to_pushed(task)["history"][1]
    assert kept["metadata"] == {"kagent_usage_metadata": {"totalTokenCount": 7}}
    assert kept["parts"] == [{"kind": "text", "text": " "}]


def test_a_session_is_called_by_the_first_words_of_its_user() -> None:
    assert title(a_task()) == "Why is my query slow"
