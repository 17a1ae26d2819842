import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from jwt_issuer.files import locked
from jwt_issuer.folder import FolderLeadership, KeyFolder, TokenFolder
from jwt_issuer.keys.document import read_ring, write_ring
from jwt_issuer.keys.ring import KeyRing
from jwt_issuer.stores import StoreError

from .modes import mode
from .patience import Patience
from .rings import START, a_key

RING = KeyRing.of(a_key(0), START)


@pytest.fixture(autouse=True)
def an_open_umask() -> Iterator[None]:
    """The worst case: whatever does not ask for a mode is open to all."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def keys(tmp_path: Path) -> KeyFolder:
    return KeyFolder(tmp_path / "state")


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFolder:
    (tmp_path / "state").mkdir()
    return TokenFolder(tmp_path / "state")


def kept(keys: KeyFolder, ring: KeyRing = RING) -> KeyFolder:
    keys.update(lambda _: ring)
    return keys


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


class UnwantedError(Exception):
    """A change that does not work out."""


def test_there_is_no_ring_at_first_and_reading_makes_none(keys: KeyFolder) -> None:
    assert keys.read() is None
    assert not keys.state.exists()


def test_a_ring_is_read_as_it_was_left(keys: KeyFolder) -> None:
    assert keys.update(lambda _: RING) == RING
    assert KeyFolder(keys.state).read() == RING


def test_a_change_sees_the_ring_as_it_is(keys: KeyFolder) -> None:
    seen: list[KeyRing | None] = []

    def change(ring: KeyRing | None) -> KeyRing:
        seen.append(ring)
        return RING if ring is None else ring.signing_for(600, START)

    keys.update(change)
    keys.update(change)
    assert seen == [None, RING]
    assert keys.read() == RING.signing_for(600, START)


def test_only_the_owner_can_read_the_keys(keys: KeyFolder) -> None:
    kept(keys)
    assert keys.path == keys.state / "keys" / "ring.json"
    assert mode(keys.path) == 0o600
    assert mode(keys.path.parent) == 0o700
    assert names(keys.path.parent) == {"ring.json", ".lock"}


def test_what_a_killed_writer_has_left_is_removed_for_it_holds_keys(keys: KeyFolder) -> None:
    kept(keys)
    (keys.path.parent / ".ring.json.abc123.tmp").write_bytes(b"half of a ring")
    keys.update(lambda ring: ring or RING)
    assert names(keys.path.parent) == {"ring.json", ".lock"}


@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o620, 0o601])
def test_keys_that_others_can_get_at_are_refused(keys: KeyFolder, open_to: int) -> None:
    kept(keys).path.chmod(open_to)
    for use in (keys.read, lambda: keys.update(lambda _: RING)):
        with pytest.raises(StoreError, match=f"{keys.path} are open to other users.*chmod 600 {keys.path}"):
            use()


def test_a_file_that_is_no_ring_is_refused_by_name_with_a_remedy_and_kept(keys: KeyFolder) -> None:
    kept(keys).path.write_bytes(b"SECRET")
    for use in (keys.read, lambda: keys.update(lambda _: RING)):
        with pytest.raises(StoreError) as refused:
            use()
        assert str(refused.value).startswith(
            f"The file {keys.path} is not a key ring. Restore it, or delete it to get a new key"
        )
    assert keys.path.read_bytes() == b"SECRET"


def test_keys_that_cannot_be_read_are_refused_by_name(keys: KeyFolder) -> None:
    keys.path.mkdir(parents=True, mode=0o700)
    with pytest.raises(StoreError, match=f"The keys in {keys.path} cannot be read: Is a directory. Restore it"):
        keys.read()


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(keys: KeyFolder) -> None:
    keys.state.write_text("in the way")
    with pytest.raises(StoreError, match=rf"{keys.state}.*: Not a directory\. Name a place"):
        keys.update(lambda _: RING)


def test_a_change_that_is_none_writes_nothing(keys: KeyFolder) -> None:
    before = kept(keys).path.stat()
    assert keys.update(lambda ring: ring or RING) == RING
    assert (keys.path.stat().st_ino, keys.path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_change_that_raises_is_raised_and_writes_nothing(keys: KeyFolder) -> None:
    def change(_: KeyRing | None) -> KeyRing:
        raise UnwantedError

    with pytest.raises(UnwantedError):
        keys.update(change)
    assert keys.read() is None
    before = kept(keys).path.read_bytes()
    with pytest.raises(UnwantedError):
        keys.update(change)
    assert keys.path.read_bytes() == before
    assert keys.update(lambda _: RING) == RING, "the lock was left behind"


def test_a_lock_that_is_never_given_back_is_an_error_that_names_it(keys: KeyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    patience = Patience()
    with locked(kept(keys).path.parent / ".lock"):
        monkeypatch.setattr("jwt_issuer.files.time", patience)
        with pytest.raises(StoreError, match=f"{keys.path.parent}/.lock: another process has held the lock for too long. Name"):
            keys.update(lambda _: RING)
    assert 5 < patience.slept < 5.1


def test_whoever_reads_meanwhile_has_the_old_ring_or_the_new(keys: KeyFolder) -> None:
    with kept(keys).path.open("rb") as reader:
        kept(keys, RING.with_next(a_key(1), START).announced(START, 60))
        assert read_ring(reader.read()) == RING
    assert names(keys.path.parent) == {"ring.json", ".lock"}


def test_all_who_make_the_first_key_at_once_have_the_same(keys: KeyFolder) -> None:
    together = Barrier(4)

    def start(number: int) -> KeyRing:
        together.wait()
        return keys.update(lambda ring: ring or KeyRing.of(a_key(number), START))

    with ThreadPoolExecutor(4) as pool:
        rings = list(pool.map(start, range(4)))
    assert {ring.keys[0].kid for ring in rings} == {rings[0].keys[0].kid}
    assert keys.read() == rings[0]


def test_a_token_is_the_whole_of_its_file_for_its_owner_alone(tokens: TokenFolder) -> None:
    tokens.put("alice", "dba", "a.b.c")
    assert (tokens.folder / "alice.jwt").read_bytes() == b"a.b.c"
    assert tokens.token("alice") == "a.b.c"
    assert mode(tokens.folder / "alice.jwt") == 0o600
    assert mode(tokens.folder) == 0o700
    assert names(tokens.folder) == {"alice.jwt"}


def test_a_token_takes_the_place_of_the_one_before(tokens: TokenFolder) -> None:
    tokens.put("alice", "dba", "a.b.c")
    tokens.put("alice", "dba", "d.e.f")
    assert tokens.token("alice") == "d.e.f"


def test_whoever_has_no_token_has_none(tokens: TokenFolder) -> None:
    assert tokens.token("alice") is None
    tokens.put("bob", "dba", "a.b.c")
    assert tokens.token("alice") is None


def test_a_file_that_is_no_text_is_no_token(tokens: TokenFolder) -> None:
    tokens.put("alice", "dba", "a.b.c")
    (tokens.folder / "alice.jwt").write_bytes(b"\xff")
    assert tokens.token("alice") is None


def test_the_token_of_someone_who_left_goes_and_what_is_no_token_stays(tokens: TokenFolder) -> None:
    for sub in ("alice", "bob"):
        tokens.put(sub, "dba", "a.b.c")
    (tokens.folder / "README").write_text("mine")
    tokens.keep_only(frozenset({"alice", "carol"}))
    assert names(tokens.folder) == {"alice.jwt", "README"}


def test_there_is_nothing_to_remove_where_nothing_was_kept(tokens: TokenFolder) -> None:
    tokens.keep_only(frozenset())
    assert not tokens.folder.exists()


def test_a_token_that_cannot_be_kept_or_read_is_an_error_that_names_it(tokens: TokenFolder) -> None:
    tokens.put("bob", "dba", "a.b.c")
    (tokens.folder / "alice.jwt").mkdir()
    with pytest.raises(StoreError, match=f"{tokens.folder}/.*alice.jwt.*: Is a directory. Name a place"):
        tokens.put("alice", "dba", "a.b.c")
    with pytest.raises(StoreError, match=f"{tokens.folder}/alice.jwt: Is a directory. Name a place"):
        tokens.token("alice")
    with pytest.raises(StoreError, match=f"{tokens.folder}/alice.jwt: Is a directory. Name a place"):
        tokens.keep_only(frozenset({"bob"}))


def test_the_key_set_is_for_all_to_read_and_written_once(tokens: TokenFolder) -> None:
    path = tokens.state / "jwks.json"
    tokens.publish(b'{"keys": []}')
    first = path.stat()
    tokens.publish(b'{"keys": []}')
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    assert mode(path) == 0o644
    tokens.publish(b'{"keys": [1]}')
    assert path.read_bytes() == b'{"keys": [1]}'


def test_the_keys_that_are_written_are_those_that_are_read(keys: KeyFolder) -> None:
    assert kept(keys).path.read_bytes() == write_ring(RING)


@pytest.fixture
def leaders(tmp_path: Path) -> Iterator[tuple[FolderLeadership, FolderLeadership]]:
    """Two on one folder."""
    one, other = FolderLeadership(tmp_path), FolderLeadership(tmp_path)
    yield one, other
    one.release()
    other.release()


def test_of_two_on_one_folder_the_first_leads_for_as_long_as_it_likes(
    leaders: tuple[FolderLeadership, FolderLeadership],
) -> None:
    first, second = leaders
    assert not first.holds
    assert [first.leads(), second.leads(), first.leads(), second.leads()] == [True, False, True, False]
    assert (first.holds, second.holds) == (True, False)
    second.release()
    assert first.holds
    assert not second.leads()


def test_whoever_waits_takes_over_from_one_that_ends(leaders: tuple[FolderLeadership, FolderLeadership]) -> None:
    first, second = leaders
    first.leads()
    second.leads()
    first.release()
    assert not first.holds
    assert second.leads()
    assert not first.leads()


def test_whoever_waits_says_so_once(
    leaders: tuple[FolderLeadership, FolderLeadership], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = leaders
    for _ in range(3):
        first.leads()
        second.leads()
    assert caplog.messages == [f"Another issuer writes the tokens in {tmp_path}, until it ends. This one serves the keys."]


def test_folders_have_leaders_of_their_own(leaders: tuple[FolderLeadership, FolderLeadership], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = FolderLeadership(tmp_path / "other")
    assert leaders[0].leads()
    assert other.leads()
    other.release()


def test_a_folder_that_is_not_there_has_no_leader(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"{tmp_path}/absent/.serving: No such file or directory. Name a place"):
        FolderLeadership(tmp_path / "absent").leads()
