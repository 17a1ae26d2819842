"""What a newcomer types: demo, up, chat, status and reset, as processes, read as a newcomer would read them."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from runner.addresses import ADDRESSES
from runner.config import PROJECT
from tests.waiting import until

pytestmark = pytest.mark.anyio


@dataclass
class Command:
    """A running `python -m runner ...` and what it has printed so far, both streams together."""

    child: asyncio.subprocess.Process
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def end(self) -> int:
        async with asyncio.timeout(110):
            return await self.child.wait()

    def type(self, text: str) -> None:
        assert self.child.stdin
        self.child.stdin.write(text.encode())

    async def answers(self, count: int) -> None:
        """Waits until an agent has answered so often; an essay has at least this many words in a line."""
        await until(lambda: sum(len(line.split()) > 25 for line in self.lines) >= count, f"{count} answers")

    async def prints(self, text: str) -> None:
        await until(lambda: text in self.text or self.child.returncode is not None, f"{text!r} to be printed", within=60)
        assert text in self.text, self.text


@asynccontextmanager
async def command(*words: str, **environment: str) -> AsyncIterator[Command]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "runner", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"]} | environment,
        cwd=PROJECT,
    )
    lines: list[str] = []
    reading = asyncio.create_task(_read(child, lines))
    try:
        yield Command(child, lines)
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()
        await reading


async def _read(child: asyncio.subprocess.Process, lines: list[str]) -> None:
    assert child.stdout
    async for line in child.stdout:
        lines.append(line.decode().rstrip())


def children_of(parent: int) -> dict[int, bytes]:
    """The processes that another one has started, with their environments."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"PPid:\t{parent}\n" in (process / "status").read_text():
                found[int(process.name)] = (process / "environ").read_bytes()
    return found


def child_with(parent: int, variable: bytes) -> int:
    """The one program that has this in its environment."""
    (pid,) = (pid for pid, environment in children_of(parent).items() if variable in environment)
    return pid


def alive(pids: Iterable[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


BOOKS = re.compile(r"│ (\w+) +│ (\w+) +│ +([\d,]+) │ +([\d,]+) │ +([\d,]+) │ +([\d,]+) │ +(-?[\d,]+) │")


async def test_two_demos_at_once_both_tell_the_story_to_its_end_and_the_seed_repeats_it() -> None:
    async with command("demo", "--seed", "7") as first, command("demo", "--seed", "7") as second:
        assert (await first.end(), await second.end()) == (0, 0), first.text + second.text
    for demo in (first, second):
        assert "dba 0 / 5,000, support 0 / 20,000" in demo.text
        assert (
            "Sorry — your team's LLM token budget is exhausted. Please try again later. "
            "(HTTP 429 from the gateway; team='dba'.) It resets at "
        ) in demo.text
        rows = BOOKS.findall(demo.text)
        assert [row[:2] for row in rows] == [("dba", "hour"), ("dba", "day"), ("support", "hour"), ("support", "day")]
        assert {row[-1] for row in rows} == {"0"}
        assert all(int(row[5].replace(",", "")) > 0 for row in rows)
        assert demo.text.count("you to dba-agent: Write me a long essay on") == 4  # with this seed
    assert BOOKS.findall(first.text) == BOOKS.findall(second.text)


async def test_a_demo_outlives_its_agent() -> None:
    async with command("demo", "--seed", "7") as demo:
        await demo.prints("Scene 2.")
        os.kill(child_with(demo.child.pid, b"KAGENT_NAME=dba-agent"), signal.SIGKILL)
        assert await demo.end() == 0, demo.text
    assert "runner: dba-agent is back" in demo.text


async def test_a_demo_that_loses_its_ledger_says_so_and_fails() -> None:
    async with command("demo", "--seed", "7") as demo:
        await demo.prints("dba 1,")  # something was spent, and stood in the ledger
        os.kill(child_with(demo.child.pid, b"MOCK_LLM_PORT="), signal.SIGKILL)
        assert await demo.end() == 1, demo.text
    assert "The mock LLM was restarted in the middle of the story and began a new ledger" in demo.text
    (folder,) = re.findall(r"What every program wrote: (\S+)/demo.log", demo.text)
    shutil.rmtree(folder)


async def test_up_serves_until_ctrl_c_and_leaves_nothing_behind(tmp_path: Path, http: httpx.AsyncClient) -> None:
    state = tmp_path / "state"
    async with command("up", "--state", os.fspath(state)) as system:
        await system.prints("stop with Ctrl-C")
        addresses = json.loads((state / ADDRESSES).read_text())
        assert f"gateway        {addresses['gateway']}/v1/chat/completions" in system.text
        curl = next(line.split(" | ")[1] for line in system.lines if "  curl http" in line)
        said = await asyncio.create_subprocess_shell(f"{curl} --silent --noproxy '*'", stdout=asyncio.subprocess.PIPE)
        assert json.loads((await said.communicate())[0])["object"] == "chat.completion"
        assert "overcommit" not in system.text
        assert (await http.get(f"{addresses['agents']['support-agent']}/.well-known/agent-card.json")).status_code == 200
        programs = children_of(system.child.pid)
        assert len(programs) == 7  # Valkey, issuer, LLM, budgets, gateway, two agents

        async with command("up", "--state", os.fspath(state)) as second:
            assert await second.end() == 1
        assert second.text == (
            f"A system already runs on {state}, held by process {system.child.pid}: "
            f"stop it (kill {system.child.pid}), or use another state folder."
        )

        system.child.send_signal(signal.SIGINT)
        assert await system.end() == 0
    assert system.lines[-1] == "All stopped."
    assert alive(programs) == []
    assert not (state / ADDRESSES).exists()


async def test_a_killed_runner_leaves_no_orphan_and_the_next_start_keeps_the_counters(
    tmp_path: Path, http: httpx.AsyncClient
) -> None:
    state = tmp_path / "state"

    async def used() -> list[int]:
        url = json.loads((state / ADDRESSES).read_text())["budgets"]
        return [
            budget["used"] for budget in (await http.get(f"{url}/v1/budgets")).json()["budgets"] if budget["window"] == "day"
        ]

    async with command("up", "--state", os.fspath(state)) as system:
        await system.prints("stop with Ctrl-C")
        async with command("chat", "--state", os.fspath(state), "--agent", "dba-agent") as chat:
            chat.type("Write me an essay.\n")
            await chat.answers(1)

        async def is_charged() -> bool:
            return sum(await used()) > 0

        await until(is_charged, "the charge, which follows the answer")
        before = await used()
        programs = children_of(system.child.pid)
        assert len(programs) == 7
        system.child.kill()
        await system.child.wait()
    await until(lambda: not alive(programs), "every process of the killed runner to be gone")
    assert (state / ADDRESSES).exists()
    async with command("status", "--state", os.fspath(state)) as status:
        assert await status.end() == 1
    assert status.text.startswith(f"No system runs on {state}: ")
    async with command("up", "--state", os.fspath(state)) as system:
        await system.prints("stop with Ctrl-C")
        assert await used() == before


async def test_chat_talks_to_an_agent_in_one_conversation(tmp_path: Path) -> None:
    state = os.fspath(tmp_path / "state")
    async with command("chat", "--state", state, "--agent", "dba-agent") as early:
        assert await early.end() == 1
    assert early.text == f"No system runs on {state}: start one with `make up` in another terminal."
    async with command("up", "--state", state) as system:
        await system.prints("stop with Ctrl-C")
        async with command("chat", "--state", state, "--agent", "nobody") as wrong:
            assert await wrong.end() == 1
        assert wrong.text == "There is no agent named 'nobody'. Running: dba-agent, support-agent."
        async with command("chat", "--state", state, "--agent", "support-agent") as chat:
            chat.type("Write me an essay.\n")
            await chat.answers(1)
            os.kill(child_with(system.child.pid, b"KAGENT_NAME=support-agent"), signal.SIGKILL)
            chat.type("And another one.\n")
            await system.prints("support-agent is back")
            chat.type("And a third one.\n")
            await chat.answers(2)
            assert chat.child.stdin
            chat.child.stdin.close()
            assert await chat.end() == 0
        assert "Traceback" not in chat.text


@contextmanager
def taken(port: int) -> Iterator[None]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # somebody else has it, which serves as well
            listener.bind(("127.0.0.1", port))
            listener.listen()
        yield


async def test_a_taken_port_is_said_and_another_one_used_and_found(tmp_path: Path, http: httpx.AsyncClient) -> None:
    state = os.fspath(tmp_path / "state")
    with taken(8090), taken(8084):
        async with command("up", "--state", state) as system:
            await system.prints("stop with Ctrl-C")
            addresses = json.loads((tmp_path / "state" / ADDRESSES).read_text())
            gateway = addresses["gateway"]
            assert (await http.get(f"{gateway}/healthz")).status_code == 200
            async with command("status", "--state", state) as status, command("reset", "support", "--state", state) as reset:
                assert (await status.end(), await reset.end()) == (0, 0), status.text + reset.text
    assert not gateway.endswith(":8090")
    assert not addresses["budgets"].endswith(":8084")
    assert f"the usual port of gateway is taken, so it listens on {gateway.rsplit(':', 1)[1]}" in system.text
    assert {line.split()[0] for line in status.lines[1:]} == {
        f"team-token-budget/{budget}" for budget in ("dba/hour", "support/hour", "dba/day", "support/day")
    }
    assert "team-token-budget/support/hour: 0 -> 0 of 20,000 tokens" in reset.lines


@pytest.mark.parametrize(("words", "code"), [("up --state state", b"0"), ("demo", b"1")])
async def test_it_stops_in_order_when_nobody_reads_it_any_more(tmp_path: Path, words: str, code: bytes) -> None:
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"{sys.executable} -m runner {words} | head -1; echo ${{PIPESTATUS[0]}}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
    )
    async with asyncio.timeout(90):
        printed, complained = await shell.communicate()
    assert complained == b""
    assert printed.splitlines()[-1] == code


async def test_a_ctrl_c_while_the_runner_is_being_loaded_ends_it_without_a_word(tmp_path: Path) -> None:
    async with command("up", "--state", os.fspath(tmp_path / "state")) as system:
        maps = Path(f"/proc/{system.child.pid}/maps")
        await until(lambda: "pydantic_core" in maps.read_text(), "the imports to be under way")
        system.child.send_signal(signal.SIGINT)
        assert await system.end() == 130
    assert system.text == ""


async def test_a_state_folder_that_is_a_file_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with command("up", "--state", os.fspath(tmp_path / "file")) as system:
        assert await system.end() == 1
    assert system.text.startswith(f"{tmp_path / 'file'}: File exists. Name a place that this user may write to")
    assert len(system.lines) == 1


async def test_a_policy_from_an_earlier_run_does_not_start_a_system_with_a_bad_one(tmp_path: Path) -> None:
    good = (PROJECT / "policy" / "budgets" / "team-token-budget.yaml").read_text()
    bad = tmp_path / "bad.yaml"
    # Well-formed, but no entry of its rateLimits asks for the budgets of a day.
    bad.write_text(good.replace("descriptorValue: day", "descriptorValue: week"))
    state = tmp_path / "state"
    (state / "policy-in-force").mkdir(parents=True)
    (state / "policy-in-force" / "team-token-budget.yaml").write_text(good)
    async with command("up", "--state", os.fspath(state), BUDGETS_POLICY=os.fspath(bad)) as system:
        assert await system.end() == 1
    assert "no entry of spec.raw.rateLimits asks for" in system.text


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("TEAMS", "teams: [{name: DBA, description: D., users: []}]", "teams[0].name: 'DBA' is not a name"),
        ("BUDGETS_POLICY", "kind: RateLimitConfig", "The budget policy cannot be used. "),
        ("BUDGETS_POLICY", None, "cannot be read: No such file or directory"),
        ("BUDGETS_STORE", None, "BUDGETS_STORE is wrong: a store's URL starts with one of redis://, rediss://, unix://."),
        ("ENVOY_BIN", None, "is not a program that can be run. It names an Envoy of your own"),
    ],
)
async def test_what_is_wrong_is_said_in_one_sentence_before_anything_starts(
    tmp_path: Path, variable: str, text: str | None, sentence: str
) -> None:
    file = tmp_path / "wrong.yaml"
    if text is not None:
        file.write_text(text)
    state = tmp_path / "state"
    async with command("up", "--state", os.fspath(state), **{variable: os.fspath(file)}) as system:
        assert await system.end() == 1
    assert sentence in system.text
    assert len(system.lines) == 1
