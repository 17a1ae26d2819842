import asyncio
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import GaveUp, StartError, StoppedError
from runner.health import Health
from runner.process import Program
from runner.restart import RestartPolicy
from runner.starting import Patience
from runner.supervisor import Supervisor
from tests.integration.runner.programs import IGNORES_SIGTERM, SLEEPS, Seen, runs, until

pytestmark = pytest.mark.anyio

SAYS_GOODBYE = f"import signal, sys; signal.signal(15, lambda *_: sys.exit(print('goodbye'))); {SLEEPS}"


async def never() -> bool:
    return False


def kill(supervisor: Supervisor, name: str) -> None:
    os.kill(supervisor.pid_of(name), signal.SIGKILL)


async def kill_until_given_up(supervisor: Supervisor, seen: Seen, name: str) -> None:
    """Kills it three times, where two restarts are allowed."""
    for times in range(3):
        await until_back(seen, name, times)
        kill(supervisor, name)


async def until_back(seen: Seen, name: str, times: int) -> None:
    await until(lambda: seen.said.count(f"{name} is back") == times, f"{name} is back")


async def test_a_program_is_started_when_it_is_healthy_and_stopped_at_the_end() -> None:
    seen = Seen()
    async with seen.supervisor() as supervisor:
        await supervisor.start(seen.program("agent"))
        assert seen.lines == [("agent", "up")]
        pid = supervisor.pid_of("agent")
        assert runs(pid)
    assert not runs(pid)
    assert seen.said == []


async def test_a_program_that_dies_is_restarted_and_both_are_said() -> None:
    seen = Seen()
    async with seen.supervisor() as supervisor:
        await supervisor.start(seen.program("agent"))
        await supervisor.start(seen.program("other"))
        first, other = supervisor.pid_of("agent"), supervisor.pid_of("other")
        kill(supervisor, "agent")
        await until(lambda: len(seen.said) >= 2, "it is back")
        assert seen.said == ["agent was ended by SIGKILL; restarting (1 of 2)", "agent is back"]
        assert supervisor.pid_of("agent") != first
        assert runs(supervisor.pid_of("agent"))
        assert supervisor.pid_of("other") == other


async def test_a_program_that_ends_with_zero_is_restarted_too() -> None:
    seen = Seen()
    async with seen.supervisor() as supervisor:
        await supervisor.start(seen.program("agent", SAYS_GOODBYE))
        os.kill(supervisor.pid_of("agent"), signal.SIGTERM)
        await until(lambda: "agent is back" in seen.said, "it is back")
    assert seen.said[0] == "agent ended with exit code 0; restarting (1 of 2)"


async def test_one_that_dies_too_often_is_given_up_and_all_is_stopped() -> None:
    seen = Seen()
    async with seen.supervisor() as supervisor:
        await supervisor.start(seen.program("agent"))
        await supervisor.start(seen.program("other"))
        other = supervisor.pid_of("other")
        await kill_until_given_up(supervisor, seen, "agent")
        with pytest.raises(GaveUp) as given_up:
            await supervisor.wait()
        assert not runs(other)
    assert str(given_up.value) == (
        "agent was ended by SIGKILL. It is given up after 2 restarts, and the whole system is stopped. Its last words:\n  up"
    )
    assert seen.said == [
        "agent was ended by SIGKILL; restarting (1 of 2)",
        "agent is back",
        "agent was ended by SIGKILL; restarting (2 of 2)",
        "agent is back",
    ]


async def test_one_that_came_back_and_dies_after_the_window_is_restarted_as_if_for_the_first_time() -> None:
    now = 0.0
    seen = Seen()
    policy = RestartPolicy(restarts=1, window=60, clock=lambda: now)
    async with Supervisor(seen.sink, seen.said.append, policy) as supervisor:
        await supervisor.start(seen.program("agent"))
        for times in range(1, 3):
            kill(supervisor, "agent")
            await until_back(seen, "agent", times)
            now += 61
    assert seen.said.count("agent was ended by SIGKILL; restarting (1 of 1)") == 2


async def test_one_that_cannot_come_back_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    seen = Seen()
    marker = str(tmp_path / "started")
    starts_once = f"import os, sys\nif os.path.exists({marker!r}): sys.exit('no disk')\nopen({marker!r}, 'w')\n{SLEEPS}"
    async with seen.supervisor() as supervisor:
        await supervisor.start(seen.program("agent", starts_once))
        kill(supervisor, "agent")
        with pytest.raises(GaveUp) as given_up:
            await supervisor.wait()
    assert seen.said == [
        "agent was ended by SIGKILL; restarting (1 of 2)",
        "agent ended with exit code 1 while the runner waited for it to say 'up'; restarting (2 of 2)",
    ]
    assert given_up.value.last_words == ("no disk",)


async def test_one_that_hangs_when_restarted_is_given_up() -> None:
    healthy = True

    async def check() -> bool:
        return healthy

    seen = Seen()
    async with seen.supervisor(Patience(start=0.2, stop=10)) as supervisor:
        await supervisor.start(replace(seen.program("agent"), health=Health(check, "its luck")))
        healthy = False
        kill(supervisor, "agent")
        with pytest.raises(GaveUp, match=r"did not become healthy within 0\.2 s"):
            await supervisor.wait()
        assert not runs(supervisor.pid_of("agent"))


async def test_a_start_fails_at_once_when_another_program_is_given_up() -> None:
    seen = Seen()
    async with seen.supervisor() as supervisor:
        await supervisor.start(seen.program("agent"))
        starting = asyncio.create_task(supervisor.start(seen.program("slow", "import time; time.sleep(600)")))
        await kill_until_given_up(supervisor, seen, "agent")
        with pytest.raises(GaveUp):
            await starting


async def test_one_that_ends_during_its_start_fails_with_code_and_last_words() -> None:
    seen = Seen()
    async with seen.supervisor(Patience(start=600)) as supervisor:
        await supervisor.start(seen.program("other"))
        other = supervisor.pid_of("other")
        with pytest.raises(StartError) as failed:
            await supervisor.start(seen.program("agent", "print('one'); raise SystemExit(3)"))
        assert not runs(other), "what was started before is stopped"
    assert str(failed.value) == (
        "agent ended with exit code 3 while the runner waited for it to say 'up'. Its last words:\n  one"
    )


async def test_one_that_never_gets_healthy_fails_with_what_it_waited_for() -> None:
    seen = Seen()
    async with seen.supervisor(Patience(start=0.2, stop=10)) as supervisor:
        with pytest.raises(StartError) as failed:
            await supervisor.start(replace(seen.program("agent"), health=Health(never, "a miracle")))
        assert not runs(supervisor.pid_of("agent"))
    assert failed.value.what == "agent did not become healthy within 0.2 s: the runner waited for a miracle"


async def test_one_that_answers_but_is_not_healthy_fails_with_what_it_answered() -> None:
    seen = Seen()
    health = Health(never, "a miracle", lambda: "503: The store is away.")
    async with seen.supervisor(Patience(start=0.2, stop=10)) as supervisor:
        with pytest.raises(StartError, match=r"waited for a miracle \(it last answered 503: The store is away\)"):
            await supervisor.start(replace(seen.program("agent"), health=health))


async def test_a_command_that_does_not_exist_fails_with_its_name() -> None:
    seen = Seen()
    absent = Program("agent", ("/nonexistent/agent",), {}, Health(never, "nothing"))
    async with seen.supervisor() as supervisor:
        with pytest.raises(StartError, match=r"agent cannot be run: .*'/nonexistent/agent'"):
            await supervisor.start(absent)


async def test_a_health_check_that_breaks_stops_everything() -> None:
    async def broken() -> bool:
        raise LookupError("a bug in the check")

    seen = Seen()
    async with seen.supervisor() as supervisor:
        with pytest.raises(LookupError):
            await supervisor.start(replace(seen.program("agent"), health=Health(broken, "nothing")))
        assert not runs(supervisor.pid_of("agent"))


async def test_a_cancelled_start_leaves_none_behind() -> None:
    seen = Seen()
    async with seen.supervisor() as supervisor:
        await supervisor.start(seen.program("other"))
        starting = asyncio.create_task(supervisor.start(seen.program("agent", "import time; time.sleep(600)")))
        await until(lambda: _started(supervisor, "agent"), "agent runs")
        pids = [supervisor.pid_of("agent"), supervisor.pid_of("other")]
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert not any(runs(pid) for pid in pids)


def _started(supervisor: Supervisor, name: str) -> bool:
    try:
        return supervisor.pid_of(name) > 0
    except KeyError:
        return False


async def test_two_programs_of_one_name_are_refused() -> None:
    seen = Seen()
    async with seen.supervisor() as supervisor:
        await supervisor.start(seen.program("agent"))
        with pytest.raises(ValueError, match="named agent already"):
            await supervisor.start(seen.program("agent"))
        assert runs(supervisor.pid_of("agent"))


async def test_all_are_stopped_in_the_reverse_order_of_their_start() -> None:
    seen = Seen()
    async with seen.supervisor() as supervisor:
        for name in ("first", "second", "third"):
            await supervisor.start(seen.program(name, SAYS_GOODBYE))
    assert [name for name, line in seen.lines if line == "goodbye"] == ["third", "second", "first"]


async def test_one_that_ignores_the_request_to_stop_is_killed_after_the_grace_and_it_is_said() -> None:
    seen = Seen()
    async with seen.supervisor(Patience(stop=0.3)) as supervisor:
        await supervisor.start(seen.program("agent", IGNORES_SIGTERM))
        pid = supervisor.pid_of("agent")
        asked = time.monotonic()
    assert time.monotonic() - asked >= 0.3
    assert not runs(pid)
    assert seen.said == ["agent was ended by SIGKILL"]


async def test_a_request_to_stop_ends_the_wait_and_nothing_is_restarted() -> None:
    seen = Seen()
    async with seen.supervisor() as supervisor:
        await supervisor.start(seen.program("agent"))
        waiting = asyncio.create_task(supervisor.wait())
        supervisor.request_stop()
        await waiting
        with pytest.raises(StoppedError, match="late was not started"):
            await supervisor.start(seen.program("late"))
    assert seen.said == []


async def test_a_request_to_stop_ends_a_start_that_is_under_way() -> None:
    seen = Seen()
    async with seen.supervisor() as supervisor:
        starting = asyncio.create_task(supervisor.start(seen.program("agent", "import time; time.sleep(600)")))
        await until(lambda: _started(supervisor, "agent"), "agent runs")
        supervisor.request_stop()
        with pytest.raises(StoppedError):
            await starting
        assert not runs(supervisor.pid_of("agent"))


async def test_a_second_request_to_stop_kills_at_once() -> None:
    seen = Seen()
    async with asyncio.timeout(60), seen.supervisor(Patience(stop=600)) as supervisor:
        for name in ("one", "two"):
            await supervisor.start(seen.program(name, IGNORES_SIGTERM))
        supervisor.request_stop()
        supervisor.request_stop()
    assert seen.said[0] == "stopping at once"
    assert not any(runs(supervisor.pid_of(name)) for name in ("one", "two"))


async def test_a_stop_that_is_cancelled_kills_at_once_and_leaves_none_behind() -> None:
    seen = Seen()
    supervisor = seen.supervisor(Patience(stop=600))
    await supervisor.start(seen.program("agent", IGNORES_SIGTERM))
    stopping = asyncio.create_task(supervisor.stop())
    await until(lambda: "asked" in seen.of("agent"), "it is stopping")
    stopping.cancel()
    try:
        await until(stopping.done, "it has stopped")
        assert stopping.cancelled()
        assert not runs(supervisor.pid_of("agent"))
    finally:
        if runs(supervisor.pid_of("agent")):
            kill(supervisor, "agent")


async def test_a_closing_event_loop_that_cancels_the_stopping_itself_leaves_none_behind() -> None:
    seen = Seen()
    supervisor = seen.supervisor(Patience(stop=600))
    for name in ("one", "two"):
        await supervisor.start(seen.program(name, IGNORES_SIGTERM))
    pids = [supervisor.pid_of("one"), supervisor.pid_of("two")]
    before = asyncio.all_tasks()
    stopping = asyncio.create_task(supervisor.stop())
    await until(lambda: "asked" in seen.of("two"), "it is stopping")
    try:
        for task in asyncio.all_tasks() - before - {stopping}:
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        await until(lambda: not any(runs(pid) for pid in pids), "both are gone")
    finally:
        for pid in filter(runs, pids):
            os.kill(pid, signal.SIGKILL)
