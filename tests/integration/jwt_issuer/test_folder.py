"""Several processes on one folder, and a disk that is full."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jwt_issuer.folder import FolderLeadership, KeyFolder, TokenFolder
from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.keys.ring import KeyRing
from jwt_issuer.keys.signing_key import SigningKey
from jwt_issuer.tokens import Mint, Subject
from jwt_issuer.upkeep import TOKENS_EVERY, Upkeep
from tests.integration.mock_llm.serving import PATIENCE

NOW = 1_800_000_000

COUNT_UP = """
import sys
from pathlib import Path
from jwt_issuer.folder import KeyFolder

sys.stdin.readline()
for _ in range(10):
    KeyFolder(Path(sys.argv[1])).update(lambda ring: ring.signing_for(ring.keys[0].longest_ttl + 1, ring.keys[0].signs_from))
"""
LEAD = """
import sys
from pathlib import Path
from jwt_issuer.folder import FolderLeadership

leadership = FolderLeadership(Path(sys.argv[1]))
print(leadership.leads(), flush=True)
sys.stdin.readline()
"""
ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from jwt_issuer.folder import KeyFolder, TokenFolder
from jwt_issuer.keys.ring import KeyRing
from jwt_issuer.keys.signing_key import SigningKey
from jwt_issuer.stores import StoreError

state = Path(sys.argv[1])
tokens = TokenFolder(state)
key = SigningKey.generate()
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
for write in (
    lambda: tokens.put("alice", "dba", "x" * 1000),
    lambda: tokens.publish(b"x" * 1000),
    lambda: KeyFolder(state).update(lambda _: KeyRing.of(key, 0)),
):
    try:
        write()
    except StoreError as error:
        print(error)
"""


@contextmanager
def python(code: str, state: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that runs it, which is killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_what_several_processes_change_at_once_is_all_kept(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path)
    keys.update(lambda _: KeyRing.of(SigningKey.generate(), NOW))
    with python(COUNT_UP, tmp_path) as one, python(COUNT_UP, tmp_path) as two, python(COUNT_UP, tmp_path) as three:
        processes = (one, two, three)
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.wait(PATIENCE) for process in processes] == [0] * 3
    ring = keys.read()
    assert ring is not None
    assert ring.keys[0].longest_ttl == 30


def test_a_leader_that_is_killed_leads_no_more(tmp_path: Path) -> None:
    waiting = FolderLeadership(tmp_path)
    with python(LEAD, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert not waiting.leads()
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
        assert waiting.leads()
    waiting.release()


def test_a_disk_that_is_full_is_named_and_what_was_there_stays(tmp_path: Path) -> None:
    TokenFolder(tmp_path).put("alice", "dba", "a.b.c")
    with python(ON_A_FULL_DISK, tmp_path) as process:
        said, _ = process.communicate(timeout=PATIENCE)
    places = ("tokens", "jwks.json", "keys/ring.json")
    assert said.splitlines() == [f"{tmp_path / place}: File too large. Make room there." for place in places]
    assert TokenFolder(tmp_path).token("alice") == "a.b.c"
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    KeyFolder(tmp_path).update(lambda _: KeyRing.of(SigningKey.generate(), NOW))
    return tmp_path


def test_of_two_issuers_with_other_team_lists_on_one_folder_one_writes_and_the_other_when_it_ends(state: Path) -> None:
    now = float(NOW)

    def issuer(*names: str) -> Upkeep:
        keychain = Keychain(KeyFolder(state), lambda: now)
        mint = Mint(keychain, "agentic-budgets", "mock-llm", 600, lambda: now)
        subjects = tuple(Subject(name, "dba") for name in names)
        return Upkeep(keychain, TokenFolder(state), mint, subjects, FolderLeadership(state), 1200, clock=lambda: now)

    first, second = issuer("alice", "bob"), issuer("carol")

    def look(upkeep: Upkeep) -> set[str]:
        upkeep.look()
        return {path.stem for path in TokenFolder(state).folder.iterdir()}

    for _ in range(20):
        now += TOKENS_EVERY
        assert [look(first), look(second)] == [{"alice", "bob"}] * 2
    first.leadership.release()
    assert look(second) == {"carol"}
    assert look(first) == {"carol"}
    second.leadership.release()
