"""What any storage does, on each that there is."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import ListTasksRequest, Task, TaskState
from a2a.utils.errors import InvalidParamsError

from agents.storage.open import open_storage
from agents.storage.store import Limits, Storage, StrangerError
from agents.texts import INTERRUPTED
from tests.integration.agents.storage.tasks import (
    COMPLETED,
    PLENTY,
    WORKING,
    Worker,
    ended,
    listed,
    of,
    said,
    status,
    stored,
    texts,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def storage(url: str) -> AsyncIterator[Storage]:
    async with open_storage(url, PLENTY) as opened:
        yield opened


async def test_a_task_comes_back_as_it_was_also_after_a_restart(url: str) -> None:
    async with open_storage(url, PLENTY) as storage:
        worker = Worker(storage)
        await worker.begin()
        await worker.go(WORKING, said("half"))
        await worker.artifact("whole")
        live = await worker.go(COMPLETED)
    async with open_storage(url, PLENTY) as storage:
        found = await stored(storage, worker.id)
    assert found == live
    assert texts(live.history) == ["q", "half"]


async def test_a_task_is_its_owners(storage: Storage) -> None:
    await ended(storage, "one", "alice")
    assert await stored(storage, "one", "bob") is None
    assert (await listed(storage, ListTasksRequest(), "bob")).total_size == 0
    await storage.tasks.delete("one", of("bob"))
    assert await stored(storage, "one", "alice") is not None
    await storage.tasks.delete("one", of("alice"))
    assert await stored(storage, "one", "alice") is None


async def test_nobody_is_a_user_like_any_other(storage: Storage) -> None:
    await ended(storage, "one", "")
    assert await stored(storage, "one", "") is not None
    assert await stored(storage, "one", "alice") is None


async def test_long_ids_and_any_text_are_kept(storage: Storage) -> None:
    """Ids are the client's to choose, and a model may write what Postgres's own types cannot hold."""
    worker = Worker(storage, "u" * 300, "t" * 100, "c" * 100)
    await worker.begin()
    await worker.go(TaskState.TASK_STATE_FAILED, said("a\x00b\ud7ff𝄞"))
    found = await stored(storage, worker.id, "u" * 300)
    assert found is not None
    assert found.status.message.parts[0].text.startswith("a")
    assert (await listed(storage, ListTasksRequest(status=TaskState.TASK_STATE_FAILED), "u" * 300)).total_size == 1
    assert await storage.sweep() == []


async def test_deltas_are_neither_kept_nor_written(storage: Storage) -> None:
    worker = Worker(storage)
    task = await worker.begin()
    await worker.go(WORKING)
    before = await stored(storage, worker.id)
    for number in range(2000):
        live = await worker.go(WORKING, said(f"word {number}", partial=True))
        assert live.status.message.parts[0].text == f"word {number}"
        assert len(live.history) == 1
    found = await stored(storage, worker.id)
    # Not even its time has changed, which every event brings.
    assert found == before
    assert task.ByteSize() < 1000
    await worker.go(WORKING, said("all words"))
    final = await worker.go(COMPLETED)
    assert texts(final.history) == ["q", "all words"]
    assert await stored(storage, worker.id) == final


async def test_what_comes_with_a_delta_is_written(storage: Storage) -> None:
    worker = Worker(storage)
    await worker.begin()
    await worker.go(WORKING, said("a tool was called"))
    await worker.go(WORKING, said("wo", partial=True))
    found = await stored(storage, worker.id)
    assert found is not None
    assert texts(found.history) == ["q", "a tool was called"]
    assert not found.status.HasField("message")
    assert found.status.state == WORKING


async def test_tasks_are_listed_as_the_sdk_lists_those_in_memory(storage: Storage) -> None:
    memory = InMemoryTaskStore()
    for number in range(7):
        for user in ("alice", "bob"):
            task = Task(id=f"{user}-{number}", context_id=f"c{number % 2}", status=status(COMPLETED, at=1000 + number // 2))
            if number == 3:
                task.status.ClearField("timestamp")
            if number == 5:
                task.status.state = TaskState.TASK_STATE_FAILED
            await memory.save(task, of(user))
            await Worker(storage, user, task.id, task.context_id).manager.process(task)
    later = ListTasksRequest()
    later.status_timestamp_after.FromDatetime(datetime.fromtimestamp(1002, UTC))
    for params in (ListTasksRequest(), ListTasksRequest(context_id="c1"), ListTasksRequest(status=COMPLETED), later):
        params.page_size = 2
        assert await _pages(storage, params) == await _pages(memory, params)
    old_token = "YWxpY2UtMw=="  # of alice-3, as SDKs before 1.2 wrote it
    expected = await listed(memory, ListTasksRequest(page_token=old_token))
    assert [task.id for task in (await listed(storage, ListTasksRequest(page_token=old_token))).tasks] == [
        task.id for task in expected.tasks
    ]
    for wrong in ("nonsense", "Ym9iLTE=", "eyJ0cyI6MTAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCwiaWQiOiJ4In0"):
        with pytest.raises(InvalidParamsError):
            await listed(storage, ListTasksRequest(page_token=wrong))


async def _pages(store: "Storage | InMemoryTaskStore", params: ListTasksRequest) -> list[list[str]]:
    request, pages = ListTasksRequest(), []
    request.CopyFrom(params)
    while True:
        response = await listed(store, request)
        pages.append([task.id for task in response.tasks])
        assert response.page_size == 2
        if not response.next_page_token:
            return [*pages, [str(response.total_size)]]
        request.page_token = response.next_page_token


async def test_turns_in_a_context_go_one_after_the_other_in_their_order(storage: Storage) -> None:
    heard: list[str] = []

    async def turn(name: str) -> None:
        async with storage.turn("c", "alice"):
            heard.append(f"{name} begins")
            await asyncio.sleep(0)
            heard.append(f"{name} ends")

    async with storage.turn("c", "alice"), storage.turn("other", "alice"):
        waiting = [asyncio.create_task(turn(name)) for name in "abc"]
        await storage.owner("c")
        assert heard == []
    await asyncio.gather(*waiting)
    assert heard == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


async def test_a_turn_that_is_cancelled_while_it_waits_leaves_the_others_alone(storage: Storage) -> None:
    async def turn() -> None:
        async with storage.turn("c", "alice"):
            pass

    async with storage.turn("c", "alice"):
        first, second = asyncio.create_task(turn()), asyncio.create_task(turn())
        await storage.owner("c")
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert not second.done()
    await asyncio.wait_for(second, 10)
    await asyncio.wait_for(turn(), 10)


async def test_a_context_is_its_first_users(storage: Storage) -> None:
    assert await storage.owner("c") is None
    async with storage.turn("c", ""):
        with pytest.raises(StrangerError):
            async with storage.turn("c", "bob"):
                raise AssertionError("A stranger had a turn.")
    assert await storage.owner("c") == ""
    with pytest.raises(StrangerError):
        async with storage.turn("c", "bob"):
            raise AssertionError("A stranger had a turn.")
    async with storage.turn("c", ""):
        pass


async def test_what_a_turn_raises_reaches_its_caller_and_frees_the_context(storage: Storage) -> None:
    with pytest.raises(ZeroDivisionError):
        async with storage.turn("c", "alice"):
            _ = 1 / 0
    async with storage.turn("c", "alice"):
        pass


async def test_what_was_left_unfinished_is_failed_at_the_next_start(url: str) -> None:
    async with open_storage(url, PLENTY) as storage:
        left = Worker(storage)
        await left.begin()
        await left.go(WORKING, said("I look it up."))
        await ended(storage, "done")
    async with open_storage(url, PLENTY) as storage:
        task = await stored(storage, left.id)
        done = await stored(storage, "done")
    assert done is not None and done.status.state == COMPLETED
    assert task is not None
    assert task.status.state == TaskState.TASK_STATE_FAILED
    assert texts([task.status.message]) == [INTERRUPTED]
    assert task.status.message.task_id == left.id
    assert abs(task.status.timestamp.ToSeconds() - time.time()) < 60
    assert texts(task.history) == ["q", "I look it up."]


async def test_who_leaves_fails_what_it_has_not_finished_and_tells_of_it(storage: Storage) -> None:
    left = Worker(storage)
    await left.begin()
    await ended(storage, "done")
    assert await storage.sweep() == []
    ((owner, task),) = await storage.sweep(leaving=True)
    assert (owner, task.id, texts([task.status.message])) == ("alice", left.id, [INTERRUPTED])
    assert await stored(storage, left.id) == task
    assert await storage.sweep(leaving=True) == []


async def test_a_task_is_found_by_its_owner_alone(storage: Storage) -> None:
    await ended(storage, "one", "alice")
    found = await storage.task("one", of("alice"))
    assert found is not None and found.id == "one"
    assert await storage.task("one", of("bob")) is None
    assert await storage.task("two", of("alice")) is None


async def test_each_version_that_is_kept_is_told(storage: Storage) -> None:
    told: list[tuple[str, int]] = []
    storage.on_saved(lambda task, call: told.append((call.user.user_name, task.status.state)))
    worker = Worker(storage)
    await worker.begin()
    await worker.go(WORKING, said("wo", partial=True))
    await worker.go(WORKING, said("rd", partial=True))
    await worker.go(COMPLETED)
    assert told == [("alice", state) for state in (TaskState.TASK_STATE_SUBMITTED, WORKING, COMPLETED)]


async def test_a_sweep_leaves_what_is_at_work(storage: Storage) -> None:
    worker = Worker(storage)
    await worker.begin()
    async with storage.turn("c", "alice"):
        assert await storage.sweep() == []
        assert (await worker.go(WORKING)).status.state == WORKING
        assert await storage.owner("c") == "alice"


async def test_the_oldest_tasks_that_ended_are_forgotten_beyond_the_count(url: str) -> None:
    now = time.time()
    async with open_storage(url, Limits(tasks=3, contexts=9, seconds=1000)) as storage:
        working = Worker(storage, task_id="working")
        await working.begin(now - 90)
        for number in range(4):
            await ended(storage, f"t{number}", at=now - 50 + number)
        await storage.sweep()
        assert {task.id for task in (await listed(storage, ListTasksRequest())).tasks} == {"working", "t2", "t3"}


async def test_tasks_that_ended_long_ago_are_forgotten(url: str) -> None:
    now = time.time()
    async with open_storage(url, Limits(tasks=9, contexts=9, seconds=1000)) as storage:
        await Worker(storage, task_id="working").begin(now - 2000)
        await ended(storage, "old", at=now - 1001)
        await ended(storage, "new", at=now - 900)
        await storage.sweep()
        assert {task.id for task in (await listed(storage, ListTasksRequest())).tasks} == {"working", "new"}


async def test_the_contexts_used_longest_ago_are_forgotten_but_none_with_a_turn(url: str) -> None:
    async with open_storage(url, Limits(tasks=9, contexts=2, seconds=1000)) as storage:
        async with storage.turn("busy", "alice"):
            for context in ("old", "middle", "new", "old"):
                async with storage.turn(context, "alice"):
                    pass
            await storage.sweep()
            left = {context for context in ("busy", "old", "middle", "new") if await storage.owner(context)}
            assert left == {"busy", "old", "new"}
        await storage.sweep()
        assert await storage.owner("middle") is None


async def test_contexts_unused_for_long_are_forgotten(url: str) -> None:
    async with open_storage(url, Limits(tasks=9, contexts=9, seconds=0)) as storage:
        async with storage.turn("c", "alice"):
            await storage.sweep()
            assert await storage.owner("c") == "alice"
        await storage.sweep()
        assert await storage.owner("c") is None
        async with storage.turn("c", "bob"):
            pass
