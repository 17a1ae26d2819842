from a2a.types import TaskState

from agents.kagent.pending import Pending, Push
from tests.unit.agents.kagent.doubles import a_task

WORKING, COMPLETED = TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED


def push(task_id: str, state: TaskState = WORKING, since: float = 0) -> Push:
    return Push(a_task(state, task_id), "alice", "", since)


def order(pending: Pending) -> list[str]:
    taken = []
    while one := pending.take():
        taken.append(one.task.id)
    return taken


def test_only_the_last_version_is_kept() -> None:
    pending = Pending(10)
    pending.put(push("a"))
    pending.put(push("b"))
    last = push("a", since=2)
    pending.put(last)
    assert pending.take() == push("b") or len(pending) == 1
    assert len(pending) == 1
    pending.put(push("c", COMPLETED))
    assert order(pending) == ["c", "a"]


def test_a_task_that_has_ended_does_not_begin_again() -> None:
    pending = Pending(10)
    pending.put(push("a", COMPLETED))
    pending.put(push("a"))
    assert len(pending) == 1
    taken = pending.take()
    assert taken is not None
    assert taken.task.status.state == COMPLETED


def test_what_is_under_way_is_not_taken_a_second_time() -> None:
    pending = Pending(10)
    pending.put(push("a"))
    first = pending.take()
    assert first is not None
    pending.put(push("a", COMPLETED))
    assert pending.take() is None
    assert pending.newer(first).task.status.state == COMPLETED
    assert pending.newer(first) is first
    pending.put(push("a", COMPLETED))
    pending.done(first)
    assert order(pending) == ["a"]


def test_beyond_the_limit_the_oldest_that_runs_is_dropped_before_one_that_has_ended() -> None:
    pending = Pending(3)
    assert all(pending.put(push(*args)) for args in (("done", COMPLETED), ("old",), ("new",)))
    assert pending.put(push("old"))
    assert not pending.put(push("newest"))
    assert order(pending) == ["done", "old", "newest"]
    pending = Pending(1)
    pending.put(push("a", COMPLETED))
    assert not pending.put(push("b", COMPLETED))
    assert order(pending) == ["b"]


def test_of_one_context_an_older_task_goes_before_a_later_one_and_one_at_a_time() -> None:
    pending = Pending(10)
    for task_id, state in (("q1", WORKING), ("q2", COMPLETED), ("other", WORKING)):
        context = "other" if task_id == "other" else "chat"
        pending.put(Push(a_task(state, task_id, context), "alice", "", 0))
    first = pending.take()
    assert first is not None
    assert first.task.id == "q1"
    assert order(pending) == ["other"]
    pending.done(first)
    assert order(pending) == ["q2"]
