"""Two replicas on one Postgres."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator

import psycopg
import pytest
from a2a.server.cluster.task_store import ConcurrentTaskModificationError, VersionedTaskStore
from a2a.server.cluster.version import TaskVersion
from a2a.types import ListTasksRequest, TaskState, TaskStatusUpdateEvent
from psycopg import sql

from agents.storage.open import open_storage
from agents.storage.postgres_tasks import PostgresTasks
from agents.storage.store import Limits, Storage, StorageError
from tests.integration.agents.conftest import ROOT
from tests.integration.agents.storage.postgres_server import Server, running_postgres
from tests.integration.agents.storage.tasks import COMPLETED, PLENTY, WORKING, Worker, ended, listed, of, said, stored
from tests.integration.agents.storage.test_threads import THREAD, chain
from tests.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pair(postgres_url: str) -> AsyncIterator[tuple[Storage, Storage]]:
    async with open_storage(postgres_url, PLENTY) as one, open_storage(postgres_url, PLENTY) as two:
        yield one, two


async def test_replicas_that_start_together_make_the_tables_once(postgres_url: str) -> None:
    async def opened() -> None:
        async with open_storage(postgres_url, PLENTY) as storage:
            await ended(storage, "t" + str(id(storage)))

    await asyncio.gather(*(opened() for _ in range(4)))
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (4,)
        assert connection.execute("SELECT count(*) FROM agent_replicas").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM agent_work").fetchone() == (0,)


async def test_a_replica_that_leaves_fails_what_it_has_not_finished_and_knows_what_it_has(postgres_url: str) -> None:
    async with open_storage(postgres_url, PLENTY) as storage:
        await Worker(storage, task_id="left").begin()
        await ended(storage, "done")
        assert isinstance(storage.tasks, PostgresTasks)
        assert storage.tasks.at_work == {"left": "alice"}
    with psycopg.connect(postgres_url) as connection:
        states = connection.execute("SELECT id, status->>'state' FROM tasks ORDER BY id").fetchall()
    assert states == [("done", "TASK_STATE_COMPLETED"), ("left", "TASK_STATE_FAILED")]


async def test_each_serves_the_others_tasks(pair: tuple[Storage, Storage]) -> None:
    one, two = pair
    worker = Worker(one)
    await worker.begin()
    assert (await stored(two, worker.id)) == await stored(one, worker.id)
    assert [task.id for task in (await listed(two, ListTasksRequest())).tasks] == [worker.id]


async def test_what_happens_in_one_is_heard_in_the_other_without_deltas(pair: tuple[Storage, Storage]) -> None:
    one, two = pair
    worker = Worker(one)
    await worker.begin()
    assert two.events is not None
    events = two.events.subscribe(worker.id, after=TaskVersion.MISSING)
    await worker.go(WORKING, said("par", partial=True))
    await worker.go(WORKING, said("part", partial=True))
    await worker.go(WORKING, said("all of it"))
    await worker.go(COMPLETED)
    heard: list[tuple[str, str]] = []
    async for versioned in events:
        event = versioned.event
        status = event.status  # type: ignore[union-attr]
        heard.append((TaskState.Name(status.state), "".join(part.text for part in status.message.parts)))
        if status.state == COMPLETED:
            break
    await events.aclose()
    assert heard == [
        ("TASK_STATE_SUBMITTED", ""),
        ("TASK_STATE_WORKING", ""),
        ("TASK_STATE_WORKING", "all of it"),
        ("TASK_STATE_COMPLETED", ""),
    ]


async def test_a_cancellation_in_one_stops_the_work_in_the_other(pair: tuple[Storage, Storage]) -> None:
    one, two = pair
    stopped: list[str] = []

    async def stop(task_id: str) -> None:
        stopped.append(task_id)

    one.on_cancelled(stop)
    worker, other = Worker(one), Worker(one)
    await worker.begin()
    await other.begin()
    await _cancel(two, worker.id)
    await until(lambda: stopped == [worker.id], "the stop")
    with pytest.raises(ConcurrentTaskModificationError):
        await worker.go(WORKING)
    cancelled = await stored(one, worker.id)
    assert cancelled is not None and cancelled.status.state == TaskState.TASK_STATE_CANCELED
    # Once, and no other; a second look comes a second later, and the other task is at work until then.
    await _cancel(two, other.id)
    await until(lambda: len(stopped) > 1, "the second stop")
    assert stopped == [worker.id, other.id]


async def test_an_end_that_could_not_be_kept_gives_way_to_the_others(
    pair: tuple[Storage, Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    worker = Worker(one)
    await worker.begin()
    with monkeypatch.context() as away:
        away.setattr(one.tasks, "_store", _fails)
        with pytest.raises(StorageError):
            await worker.go(COMPLETED)
    await _cancel(two, worker.id)
    told: list[int] = []
    one.on_saved(lambda task, _: told.append(task.status.state))
    assert await one.sweep() == []
    assert TaskState.TASK_STATE_COMPLETED not in told
    found = await stored(one, worker.id)
    assert found is not None and found.status.state == TaskState.TASK_STATE_CANCELED


async def _fails(*_: object) -> TaskVersion:
    raise StorageError("Postgres is away.")


async def test_who_leaves_fails_nothing_of_the_other_replicas(pair: tuple[Storage, Storage]) -> None:
    one, two = pair
    ours, theirs = Worker(one), Worker(two)
    await ours.begin()
    await theirs.begin()
    assert [task.id for _, task in await one.sweep(leaving=True)] == [ours.id]
    assert (await theirs.go(COMPLETED)).status.state == COMPLETED


async def _cancel(storage: Storage, task_id: str) -> None:
    assert isinstance(storage.tasks, VersionedTaskStore)
    found = await storage.tasks.get(task_id, of("alice"))
    assert found is not None
    found.task.status.state = TaskState.TASK_STATE_CANCELED
    event = TaskStatusUpdateEvent(task_id=task_id, context_id="c", status=found.task.status)
    await storage.tasks.save(found.task, event=event, prev=None, prev_version=found.version, context=of("alice"))


async def test_a_turn_waits_for_the_one_in_the_other_replica(pair: tuple[Storage, Storage]) -> None:
    one, two = pair
    heard: list[str] = []

    async def turn(storage: Storage, name: str) -> None:
        async with storage.turn("c", "alice"):
            heard.append(name)
            await asyncio.sleep(0.05)
            heard.append(name)

    await asyncio.gather(*(turn(storage, name) for storage, name in ((one, "a"), (two, "b"), (one, "c"), (two, "d"))))
    assert len(heard) == 8
    assert all(heard[index] == heard[index + 1] for index in range(0, 8, 2)), heard


async def test_who_waits_for_another_replica_and_gives_up_takes_nothing_from_it(pair: tuple[Storage, Storage]) -> None:
    one, two = pair
    async with one.turn("c", "alice"):
        await chain(one).ainvoke({"messages": []}, THREAD, durability="async")
        steps = [found async for found in one.checkpointer.alist(THREAD)]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5), two.turn("c", "alice"):
                raise AssertionError("Two turns at once.")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5), two.turn("c", "alice"):
                raise AssertionError("Two turns at once.")
        assert len(steps) > 1
        assert [found async for found in one.checkpointer.alist(THREAD)] == steps
    async with asyncio.timeout(10), two.turn("c", "alice"):
        pass


ABANDONED = """
import asyncio, sys
from agents.storage.open import open_storage
from tests.integration.agents.storage.tasks import PLENTY, Worker

async def main():
    async with open_storage(sys.argv[1], PLENTY) as storage, storage.turn("c", "alice"):
        await Worker(storage, task_id="abandoned").begin()
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_what_a_dead_replica_leaves_is_failed_and_freed_and_nothing_of_a_living_one(
    postgres_url: str, pair: tuple[Storage, Storage]
) -> None:
    one, two = pair
    working = Worker(one, task_id="working")
    await working.begin()
    command = [sys.executable, "-c", ABANDONED, postgres_url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as dead:  # noqa: ASYNC220
        assert dead.stdout is not None
        assert await asyncio.to_thread(dead.stdout.readline) == b"ready\n"
        assert await two.sweep() == []
        os.kill(dead.pid, signal.SIGKILL)
    # Not yet: it could be slow. Here twenty seconds pass at once, for that replica alone.
    assert await two.sweep() == []
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE agent_replicas SET seen = now() - interval '21 seconds' "
            "WHERE id = (SELECT replica FROM agent_work WHERE task_id = 'abandoned')"
        )
    async with asyncio.timeout(10), two.turn("c", "alice"):
        pass
    swept = [(owner, task.id) for one_sweep in await asyncio.gather(one.sweep(), two.sweep()) for owner, task in one_sweep]
    assert swept == [("alice", "abandoned")]
    found = await stored(one, "abandoned")
    assert found is not None and found.status.state == TaskState.TASK_STATE_FAILED
    assert (await working.go(COMPLETED)).status.state == COMPLETED


async def test_a_replica_shows_that_it_lives(postgres_url: str) -> None:
    connecting = psycopg.AsyncConnection.connect(postgres_url, autocommit=True)
    async with open_storage(postgres_url, PLENTY), await connecting as connection:
        await connection.execute("UPDATE agent_replicas SET seen = now() - interval '1 hour'")

        async def seen() -> bool:
            cursor = await connection.execute("SELECT bool_and(seen > now() - interval '1 minute') FROM agent_replicas")
            return await cursor.fetchone() == (True,)

        await until(seen, "the sign of life")


async def test_events_of_finished_tasks_are_kept_for_an_hour(postgres_url: str) -> None:
    async with open_storage(postgres_url, PLENTY) as storage:
        for name in ("old", "new"):
            await ended(storage, name)
        working = Worker(storage, task_id="working")
        await working.begin()
        async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as connection:
            await connection.execute("UPDATE tasks SET last_updated = last_updated - interval '2 hours' WHERE id <> 'new'")
            await storage.sweep()
            cursor = await connection.execute("SELECT DISTINCT task_id FROM task_events ORDER BY 1")
            assert await cursor.fetchall() == [("new",), ("working",)]


async def test_nothing_of_a_forgotten_task_is_left(postgres_url: str) -> None:
    async with open_storage(postgres_url, Limits(tasks=1, contexts=1, seconds=1000)) as storage:
        for name in ("one", "two"):
            await ended(storage, name)
        await storage.sweep()
    with psycopg.connect(postgres_url) as connection:
        for table, column in (("tasks", "id"), ("task_versions", "task_id"), ("task_events", "task_id")):
            query = sql.SQL("SELECT DISTINCT {} FROM {}").format(sql.Identifier(column), sql.Identifier(table))
            assert connection.execute(query).fetchall() == [("two",)]


async def test_postgres_may_stop_and_start_again(caplog: pytest.LogCaptureFixture) -> None:
    with running_postgres() as server:
        url = server.new_database()
        async with open_storage(url, PLENTY) as storage:
            worker, done = Worker(storage), Worker(storage)
            await worker.begin()
            await done.begin()
            server.stop()
            with pytest.raises(StorageError) as raised:
                await worker.go(WORKING)
            with pytest.raises(StorageError):
                await done.go(COMPLETED)
            with pytest.raises(StorageError):
                await storage.sweep()
            with pytest.raises(StorageError):
                async with storage.turn("c", "alice"):
                    raise AssertionError("A turn without its storage.")
            with pytest.raises(StorageError):
                await storage.checkpointer.aget_tuple({"configurable": {"thread_id": "c"}})
            server.start()

            async def works_again() -> bool:
                try:
                    async with storage.turn("c", "alice"):
                        return (await worker.go(COMPLETED)).status.state == COMPLETED
                except StorageError:
                    return False

            await until(works_again, "the storage's recovery", within=30)
            told: list[str] = []
            storage.on_saved(lambda task, _: told.append(task.id))
            assert await storage.sweep() == []
            assert told == [done.id]
            kept = await stored(storage, done.id)
            assert kept is not None and kept.status.state == COMPLETED
    assert "a-secret" not in caplog.text + str(raised.value)
    assert "cannot be used" in caplog.text


async def test_a_server_that_is_away_or_refuses_is_named_without_the_password(postgres: Server) -> None:
    for url, reason in (
        ("postgresql://me:a-secret@127.0.0.1:1/db", "refused"),
        (postgres.url("nowhere"), "does not exist"),
        ("postgresql://me:a-secret@127.0.0.1/db?nonsense=1", "nonsense"),
    ):
        with pytest.raises(StorageError, match=reason) as raised:
            async with open_storage(url, PLENTY):
                pass
        assert "a-secret" not in str(raised.value)
        assert "\n" not in str(raised.value)
