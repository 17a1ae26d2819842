import pytest
from a2a.server.context import ServerCallContext
from a2a.types import ListTasksRequest, Message, SendMessageRequest, Task, TaskState, TaskStatus
from a2a.utils.errors import UnsupportedOperationError

from agents.tasks import BoundedTaskStore, BusyTaskRefused

pytestmark = pytest.mark.anyio

RUNNING = TaskState.TASK_STATE_WORKING
ENDED = TaskState.TASK_STATE_COMPLETED
CALL = ServerCallContext()


def task(name: str, state: TaskState = ENDED) -> Task:
    return Task(id=name, context_id=f"context of {name}", status=TaskStatus(state=state))


async def names(store: BoundedTaskStore) -> set[str]:
    return {found.id for found in (await store.list(ListTasksRequest(), CALL)).tasks}


async def test_the_oldest_ended_task_makes_room() -> None:
    store = BoundedTaskStore(most=2)
    for name in ("a", "b", "c"):
        await store.save(task(name), CALL)
    assert await names(store) == {"b", "c"}


async def test_a_running_task_stays_and_a_later_ended_one_goes() -> None:
    store = BoundedTaskStore(most=2)
    await store.save(task("running", RUNNING), CALL)
    for name in ("a", "b", "c"):
        await store.save(task(name), CALL)
    assert await names(store) == {"running", "c"}


async def test_running_tasks_are_never_dropped_and_go_once_they_have_ended() -> None:
    store = BoundedTaskStore(most=1)
    for name in ("a", "b", "c"):
        await store.save(task(name, RUNNING), CALL)
    assert await names(store) == {"a", "b", "c"}
    for name in ("b", "a", "c"):
        await store.save(task(name), CALL)
    assert await names(store) == {"c"}


async def test_a_deleted_task_leaves_its_place() -> None:
    store = BoundedTaskStore(most=2)
    await store.save(task("a"), CALL)
    for name, state in (("b", ENDED), ("c", RUNNING)):
        await store.save(task(name, state), CALL)
        await store.delete(name, CALL)
    await store.save(task("d"), CALL)
    assert await names(store) == {"a", "d"}


@pytest.mark.parametrize("state", [RUNNING, TaskState.TASK_STATE_SUBMITTED])
async def test_a_message_to_a_task_at_work_is_refused_for_it_would_be_dropped(state: TaskState) -> None:
    store = BoundedTaskStore()
    await store.save(task("a", state), CALL)
    params = SendMessageRequest(message=Message(message_id="m", task_id="a"))
    with pytest.raises(UnsupportedOperationError, match="contextId context of a and no taskId"):
        await BusyTaskRefused(store).build(CALL, params, task_id="a")


async def test_a_new_message_gets_a_task_and_a_context_of_its_own() -> None:
    params = SendMessageRequest(message=Message(message_id="m"))
    context = await BusyTaskRefused(BoundedTaskStore()).build(CALL, params)
    assert context.task_id
    assert context.context_id
