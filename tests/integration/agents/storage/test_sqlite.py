"""What is SQLite's own: one process owns the file, and nothing that it was told is lost with the process."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from a2a.types import ListTasksRequest, Message, Part, Task, TaskState, TaskStatus
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointMetadata, empty_checkpoint

from agents.storage import sqlite_database
from agents.storage.open import open_storage
from agents.storage.store import StorageError
from tests.integration.agents.conftest import ROOT
from tests.integration.agents.storage.tasks import COMPLETED, PLENTY, Worker, ended, listed, of, said, stored
from tests.waiting import until

pytestmark = pytest.mark.anyio

WRITER = """
import asyncio, sys
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointMetadata, empty_checkpoint

from agents.storage.open import open_storage
from tests.integration.agents.storage.tasks import PLENTY, WORKING, Worker, ended, said

async def main():
    async with open_storage(sys.argv[1], PLENTY) as storage:
        left = Worker(storage, task_id="left")
        await left.begin()
        for number in range(100_000):
            await asyncio.gather(*(ended(storage, f"{number}-{one}") for one in range(8)))
            await left.go(WORKING, said("x" * 10_000))
            print(number, flush=True)

asyncio.run(main())
"""


async def test_kill_9_in_the_middle_of_writing_loses_nothing_that_was_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/agent.db"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, url], cwd=ROOT, stdout=subprocess.PIPE)  # noqa: ASYNC220
    assert writer.stdout is not None
    try:
        lines = [writer.stdout.readline() for _ in range(20)]
        with pytest.raises(StorageError, match=f"process {writer.pid}"):
            async with open_storage(url, PLENTY):
                pass
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read()
        writer.stdout.close()
        writer.wait()
    told = int((b"".join(lines) + rest).rpartition(b"\n")[0].rpartition(b"\n")[2])
    async with open_storage(url, PLENTY) as storage:
        ids = {task.id for task in (await listed(storage, ListTasksRequest(page_size=1_000_000))).tasks}
        assert {f"{number}-{one}" for number in range(told + 1) for one in range(8)} <= ids
        failed = await storage.sweep()
        assert ("alice", "left") in [(owner, task.id) for owner, task in failed]
        assert await storage.sweep() == []
        left = await stored(storage, "left")
    assert left is not None and left.status.state == TaskState.TASK_STATE_FAILED
    with closing(sqlite3.connect(tmp_path / "agent.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("content", [b"no database" * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
async def test_a_file_that_is_no_database_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "agent.db"
    file.write_bytes(content)
    with pytest.raises(StorageError, match=r"agent\.db cannot be used: .*move it away"):
        async with open_storage(f"sqlite:///{file}", PLENTY):
            pass
    assert file.read_bytes() == content


async def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "agent.db")
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(StorageError, match="format 7"):
        async with open_storage(f"sqlite:///{tmp_path}/agent.db", PLENTY):
            pass


async def test_a_folder_that_cannot_be_made_is_named() -> None:
    with pytest.raises(StorageError, match=r"/proc/no/agent\.db cannot be used"):
        async with open_storage("sqlite:////proc/no/agent.db", PLENTY):
            pass


async def test_a_path_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_storage("sqlite:///some/where/agent.db", PLENTY):
        pass
    assert (tmp_path / "some" / "where" / "agent.db").is_file()


async def test_a_full_disk_fails_the_write_and_is_got_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The limit on pages is SQLite's own; a full disk is the same error to it."""
    async with open_storage(f"sqlite:///{tmp_path}/agent.db", PLENTY) as storage:
        database = storage.tasks._database  # type: ignore[union-attr]
        worker = Worker(storage)
        await worker.begin()
        (pages,) = await database.run(lambda connection: connection.execute("PRAGMA page_count").fetchone())
        await database.run(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())
        big, small = Worker(storage, task_id="big"), Worker(storage, task_id="small")
        small_task, big_task = _task(small), _task(big, "x" * 100_000)
        # Side by side, so that they are one transaction: what fits is kept.
        results = await asyncio.gather(
            storage.tasks.save(big_task, of("alice")),  # type: ignore[arg-type, call-arg]
            storage.tasks.save(small_task, of("alice")),  # type: ignore[arg-type, call-arg]
            return_exceptions=True,
        )
        assert isinstance(results[0], StorageError)
        assert "full" in str(results[0])
        assert results[1] is None
        assert "agent.db cannot be used: database or disk is full" in caplog.text
        await database.run(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchone())
        await storage.tasks.save(big_task, of("alice"))  # type: ignore[arg-type, call-arg]
        assert (await stored(storage, "big")) == big_task
        assert (await stored(storage, "small")) == small_task


async def test_an_end_that_could_not_be_kept_is_kept_by_the_next_sweep_that_can(tmp_path: Path) -> None:
    async with open_storage(f"sqlite:///{tmp_path}/agent.db", PLENTY) as storage:
        database = storage.tasks._database  # type: ignore[union-attr]
        worker = Worker(storage)
        await worker.begin()
        (pages,) = await database.run(lambda connection: connection.execute("PRAGMA page_count").fetchone())
        await database.run(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())
        with pytest.raises(StorageError, match="full"):
            await worker.go(COMPLETED, said("x" * 100_000))
        with pytest.raises(StorageError, match="full"):
            await storage.sweep()
        told: list[int] = []
        storage.on_saved(lambda task, _: told.append(task.status.state))
        await database.run(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchone())
        assert await storage.sweep() == []
        kept = await stored(storage, worker.id)
        assert kept is not None and kept.status.state == COMPLETED
        assert told == [COMPLETED]
        # Once: what is forgotten since does not come back.
        await storage.tasks.delete(worker.id, of("alice"))
        await storage.sweep()
        assert await stored(storage, worker.id) is None


@pytest.mark.parametrize(
    ("error", "told"), [(ValueError("no task"), "not kept: no task"), (sqlite3.Error("full"), "used: full")]
)
async def test_what_nobody_waits_for_is_told_where_it_is_not_kept(
    tmp_path: Path, error: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: sqlite3.Connection) -> None:
        raise error

    async with open_storage(f"sqlite:///{tmp_path}/agent.db", PLENTY) as storage:
        database = storage.tasks._database  # type: ignore[union-attr]
        database.post(broken)
        await ended(storage, "one")
        assert await stored(storage, "one") is not None
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert told in record.getMessage()


async def test_what_is_posted_without_end_is_kept_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write waits a moment for others, and not once more for each of them."""
    monkeypatch.setattr(sqlite_database, "LINGER", 0.2)
    async with open_storage(f"sqlite:///{tmp_path}/agent.db", PLENTY) as storage:
        database = storage.tasks._database  # type: ignore[union-attr]
        await database.run(lambda connection: connection.execute("CREATE TABLE notes (text)").close())
        with closing(sqlite3.connect(tmp_path / "agent.db")) as reader:

            def posted_and_kept() -> bool:
                database.post(lambda connection: connection.execute("INSERT INTO notes VALUES ('x')").close())
                (count,) = reader.execute("SELECT count(*) FROM notes").fetchone()
                return bool(count)

            await until(posted_and_kept, "the first of many writes", within=5)


def _task(worker: Worker, text: str = "q") -> Task:
    """It has ended, so that whoever saves it waits until it is kept."""
    status = TaskStatus(state=TaskState.TASK_STATE_COMPLETED)
    return Task(id=worker.id, context_id="c", status=status, history=[Message(message_id="m", parts=[Part(text=text)])])


async def test_a_write_whose_caller_is_cancelled_is_done(tmp_path: Path) -> None:
    async with open_storage(f"sqlite:///{tmp_path}/agent.db", PLENTY) as storage:
        worker = Worker(storage)
        begun = asyncio.create_task(worker.begin())
        await asyncio.sleep(0)
        begun.cancel()

        async def is_there() -> bool:
            return await stored(storage, worker.id) is not None

        await until(is_there, "the task's being stored")


async def test_what_is_closed_says_so(tmp_path: Path) -> None:
    async with open_storage(f"sqlite:///{tmp_path}/agent.db", PLENTY) as storage:
        await ended(storage, "one")
    with pytest.raises(StorageError, match="is closed"):
        await ended(storage, "two")
    async with open_storage(f"sqlite:///{tmp_path}/agent.db", PLENTY) as storage:
        one = await stored(storage, "one")
    assert one is not None and one.status.state == COMPLETED


async def test_writes_of_an_earlier_checkpoint_are_gone_and_do_not_come_back(tmp_path: Path) -> None:
    """They are saved in the background: those of a checkpoint may come before it, or after the next one."""
    async with open_storage(f"sqlite:///{tmp_path}/agent.db", PLENTY) as storage:
        saver = storage.checkpointer

        def at(checkpoint_id: str) -> RunnableConfig:
            return {"configurable": {"thread_id": "c", "checkpoint_ns": "", "checkpoint_id": checkpoint_id}}

        async def put(checkpoint_id: str) -> None:
            metadata: CheckpointMetadata = {"source": "loop", "step": 1, "parents": {}}
            await saver.aput(at(""), {**empty_checkpoint(), "id": checkpoint_id}, metadata, {})

        for early in ("1", "2"):
            await saver.aput_writes(at(early), [("seen", f"of {early}")], "task")
        await put("1")
        await put("2")
        await saver.aput_writes(at("1"), [("seen", "late")], "another")
        found = await saver.aget_tuple({"configurable": {"thread_id": "c"}})
    assert found is not None
    assert found.pending_writes == [("task", "seen", "of 2")]
    with closing(sqlite3.connect(tmp_path / "agent.db")) as connection:
        assert connection.execute("SELECT count(*) FROM writes").fetchone() == (1,)


async def test_the_checkpointer_says_that_it_is_for_asyncio(tmp_path: Path) -> None:
    async with open_storage(f"sqlite:///{tmp_path}/agent.db", PLENTY) as storage:
        with pytest.raises(NotImplementedError, match="ainvoke"):
            storage.checkpointer.get_tuple({"configurable": {"thread_id": "c"}})
