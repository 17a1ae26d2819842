import pytest
from a2a.auth.user import User
from a2a.server.context import ServerCallContext
from a2a.server.tasks.task_manager import TaskManager
from a2a.types import Message, SendMessageRequest, Task, TaskState, TaskStatus
from a2a.utils.errors import InvalidParamsError, UnsupportedOperationError

from agents.server.admission import Admission
from agents.storage.store import Storage

pytestmark = pytest.mark.anyio


class Named(User):
    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def is_authenticated(self) -> bool:
        return False

    @property
    def user_name(self) -> str:
        return self._name


def call(user: str) -> ServerCallContext:
    return ServerCallContext(user=Named(user))


def said(task_id: str = "", context_id: str = "") -> SendMessageRequest:
    return SendMessageRequest(message=Message(message_id="m", task_id=task_id, context_id=context_id))


@pytest.mark.parametrize("state", [TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING])
async def test_a_message_to_a_task_at_work_is_refused_for_it_would_be_dropped(storage: Storage, state: TaskState) -> None:
    """The SDK hands over no task: it looks it up only when the message is at work."""
    task = Task(id="a", context_id="c", status=TaskStatus(state=state))
    worker = TaskManager(storage.tasks, call("alice"), "a", "c", None)
    await worker.process(task)
    with pytest.raises(UnsupportedOperationError, match=r"Task a is still at work.*contextId c and no taskId"):
        await Admission(storage).build(call("alice"), said(task_id="a"), "a", "c")


async def test_nothing_is_told_of_a_task_of_another_user(storage: Storage) -> None:
    worker = TaskManager(storage.tasks, call("alice"), "a", "c", None)
    await worker.process(Task(id="a", context_id="c", status=TaskStatus(state=TaskState.TASK_STATE_WORKING)))
    context = await Admission(storage).build(call("bob"), said(task_id="a"), "a", "c")
    assert context.current_task is None


async def test_a_new_message_gets_a_task_and_a_context_of_its_own(storage: Storage) -> None:
    first, second = [await Admission(storage).build(call("alice"), said()) for _ in range(2)]
    assert first.task_id
    assert first.context_id
    assert (first.task_id, first.context_id) != (second.task_id, second.context_id)


@pytest.mark.parametrize(("owner", "user"), [("alice", "bob"), ("alice", ""), ("", "alice")])
async def test_a_context_of_another_user_is_refused_and_not_explained(storage: Storage, owner: str, user: str) -> None:
    async with storage.turn("c", owner):
        pass
    with pytest.raises(InvalidParamsError, match="no context c of this user's") as refusal:
        await Admission(storage).build(call(user), said(context_id="c"), None, "c")
    assert not owner or owner not in str(refusal.value)


@pytest.mark.parametrize("user", ["alice", ""])
async def test_a_context_of_ones_own_or_of_nobody_is_taken(storage: Storage, user: str) -> None:
    context = await Admission(storage).build(call(user), said(context_id="c"), None, "c")
    assert context.context_id == "c"
    async with storage.turn("c", user):
        pass
    context = await Admission(storage).build(call(user), said(context_id="c"), None, "c")
    assert context.context_id == "c"
