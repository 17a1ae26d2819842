import os
import signal
from dataclasses import replace

import pytest

from runner.process import Process
from tests.integration.runner.programs import HAS_A_CHILD, IGNORES_SIGTERM, SLEEPS, Seen, runs, until

pytestmark = pytest.mark.anyio

WRITES = "import sys; write = sys.stdout.buffer.write; "


async def start(seen: Seen, source: str) -> Process:
    process = await Process.start(seen.program("it", source), seen.sink)
    await until(lambda: "up" in seen.of("it"), "it is up")
    return process


async def test_what_it_writes_to_both_its_outputs_arrives_in_order() -> None:
    seen = Seen()
    source = "import os; os.write(1, b'one\\n'); os.write(2, b'two\\n'); os.write(1, b'three')"
    process = await Process.start(seen.program("it", source), seen.sink)
    assert (await process.wait()).returncode == 0
    assert seen.lines == [("it", "one"), ("it", "two"), ("it", "three")]
    assert process.last_words == ("one", "two", "three")


async def test_it_reads_nothing_of_what_is_typed() -> None:
    seen = Seen()
    terminal, typed = os.pipe()
    os.write(typed, b"typed\n")
    os.close(typed)
    before = os.dup(0)
    os.dup2(terminal, 0)
    try:
        process = await Process.start(seen.program("it", "import sys; print(repr(sys.stdin.read()))"), seen.sink)
        await process.wait()
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(terminal)
    assert seen.of("it") == ["''"]


async def test_it_gets_its_environment_and_nothing_else() -> None:
    seen = Seen()
    source = "import os; print(sorted(os.environ.keys() - {'LC_CTYPE'}))"
    program = replace(seen.program("it", source), environment={"ONLY": "this"})
    process = await Process.start(program, seen.sink)
    await process.wait()
    assert seen.of("it") == ["['ONLY']"]


async def test_a_line_of_a_megabyte_without_an_end_does_not_block_it() -> None:
    seen = Seen()
    process = await Process.start(seen.program("it", WRITES + "write(b'x' * 1_000_000); write(b'\\nlast')"), seen.sink)
    assert (await process.wait()).returncode == 0
    *long, last = seen.of("it")
    assert "".join(long) == "x" * 1_000_000
    assert last == "last"
    assert len(process.last_words) == 20
    assert max(len(line) for line in process.last_words) == 500


async def test_bytes_that_are_not_utf8_do_not_break_it() -> None:
    seen = Seen()
    process = await Process.start(seen.program("it", WRITES + "write(b'\\xff\\xfe\\n\\xe2\\x82\\nfine\\n')"), seen.sink)
    await process.wait()
    assert seen.of("it") == ["��", "�", "fine"]


async def test_one_that_ignores_sigterm_is_killed_after_the_grace() -> None:
    process = await start(Seen(), IGNORES_SIGTERM)
    assert (await process.stop(grace=0.2)).returncode == -signal.SIGKILL
    assert not runs(process.pid)


async def test_its_children_are_stopped_with_it() -> None:
    seen = Seen()
    process = await start(seen, HAS_A_CHILD)
    child = await _child(seen)
    await process.stop(grace=10)
    assert not runs(process.pid)
    assert not runs(child)


async def test_it_can_be_stopped_where_the_runner_itself_ignores_sigterm() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        process = await start(Seen(), SLEEPS)
        assert (await process.stop(grace=10)).returncode == -signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_its_children_are_killed_when_it_dies() -> None:
    seen = Seen()
    process = await start(seen, HAS_A_CHILD)
    child = await _child(seen)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    assert not runs(child)


async def test_children_that_ignore_sigterm_are_killed_after_the_grace() -> None:
    seen = Seen()
    process = await start(seen, HAS_A_CHILD.replace(SLEEPS, IGNORES_SIGTERM, 1))
    child = await _child(seen)
    ending = await process.stop(grace=0.2)
    assert ending.returncode == -signal.SIGTERM
    assert not runs(child)


async def test_a_descendant_that_left_the_group_with_the_output_open_does_not_block_the_end() -> None:
    seen = Seen()
    leaves = HAS_A_CHILD.replace("])", "], start_new_session=True)", 1)
    process = await start(seen, leaves)
    left = await _child(seen)
    try:
        await process.stop(grace=10)
        assert runs(left)
    finally:
        os.kill(left, signal.SIGKILL)


async def test_what_is_written_just_after_its_end_is_heard() -> None:
    seen = Seen()
    source = """
import os, time
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    os.write(write, b"!")
    time.sleep(0.1)
    print("late", flush=True)
else:
    os.read(read, 1)
"""
    process = await Process.start(seen.program("it", source), seen.sink)
    await process.wait()
    assert process.last_words == ("late",)


async def _child(seen: Seen) -> int:
    """The child of HAS_A_CHILD, once both have said that they are up."""
    await until(lambda: seen.of("it").count("up") == 2, "its child is up")
    return int(next(line for line in seen.of("it") if line.isdigit()))
