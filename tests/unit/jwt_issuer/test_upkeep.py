import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import jwt
import pytest

from jwt_issuer.cluster.leadership import DEADLINE
from jwt_issuer.folder import KeyFolder, TokenFolder
from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.keys.ring import KeyRing
from jwt_issuer.stores import StoreAwayError, StoreError
from jwt_issuer.tokens import Mint, Subject
from jwt_issuer.upkeep import LOOK_EVERY, TOKENS_EVERY, Upkeep

from .cluster.leases import World
from .looking import OVERLAP, SUBJECTS, TTL, looks
from .rings import START, Clock, RingStore, a_key
from .stores import Lead, Tokens

pytestmark = pytest.mark.anyio


class EnoughError(BaseException):
    """Ends an endless loop that no exception ends."""


def test_the_first_look_writes_a_token_for_everyone_and_the_key_set(upkeep: Upkeep, tokens: Tokens) -> None:
    upkeep.look()
    assert tokens.puts == ["dba", "alice", "bob"]
    assert tokens.published == [upkeep.keychain.key_set()]
    assert upkeep.expiries == {"dba": START + TTL, "alice": START + TTL, "bob": START + TTL}


def test_tokens_are_renewed_at_half_their_life(upkeep: Upkeep, tokens: Tokens, clock: Clock) -> None:
    upkeep.look()
    seen = [0]
    looks(upkeep, clock, 950, lambda: seen.append(tokens.issued()))
    assert sorted(set(seen)) == [0, 300, 600, 900]
    assert upkeep.expiries["alice"] == START + 900 + TTL


def test_tokens_that_live_for_a_few_seconds_are_looked_at_as_often(
    upkeep: Upkeep, mint: Mint, tokens: Tokens, clock: Clock
) -> None:
    upkeep.mint = replace(mint, ttl=20)
    upkeep.look()
    seen = [0]
    looks(upkeep, clock, 60, lambda: seen.append(tokens.issued()))
    assert sorted(set(seen)) == [0, 10, 20, 30, 40, 50, 60]


def test_a_token_that_is_fresh_is_left_alone_also_by_the_next_issuer(upkeep: Upkeep, tokens: Tokens, clock: Clock) -> None:
    upkeep.look()
    clock.now += 200
    upkeep.look()
    replace(upkeep).look()
    assert len(tokens.puts) == 3


def test_between_two_looks_at_the_tokens_their_store_has_peace(upkeep: Upkeep, tokens: Tokens, clock: Clock) -> None:
    upkeep.look()
    del tokens.kept["alice"]
    looks(upkeep, clock, TOKENS_EVERY - LOOK_EVERY)
    assert "alice" not in tokens.kept
    looks(upkeep, clock, LOOK_EVERY)
    assert "alice" in tokens.kept


def test_a_machine_that_was_suspended_renews_as_soon_as_it_looks_at_the_clock(
    upkeep: Upkeep, tokens: Tokens, clock: Clock
) -> None:
    upkeep.look()
    clock.now += 86_400
    upkeep.look()
    assert tokens.issued() == 86_400


@pytest.mark.parametrize("back", [1, 3600])
def test_a_clock_that_is_set_back_leaves_no_token_from_the_future(
    upkeep: Upkeep, tokens: Tokens, clock: Clock, back: int
) -> None:
    upkeep.look()
    clock.now -= back
    upkeep.look()
    assert tokens.issued() == -back


def test_everyone_has_a_new_token_as_soon_as_the_key_was_replaced(upkeep: Upkeep, tokens: Tokens, store: RingStore) -> None:
    upkeep.look()
    store.ring = KeyRing.of(a_key(1), START)
    upkeep.look()
    assert {jwt.get_unverified_header(token)["kid"] for token in tokens.kept.values()} == {a_key(1).kid}
    assert tokens.published[-1] == upkeep.keychain.key_set() != tokens.published[0]


def test_a_token_that_somebody_tampered_with_is_replaced(upkeep: Upkeep, tokens: Tokens, clock: Clock) -> None:
    upkeep.look()
    tokens.kept["alice"], tokens.kept["bob"] = tokens.kept["bob"], "x"
    looks(upkeep, clock, TOKENS_EVERY)
    assert [upkeep.mint.is_fresh(tokens.kept[subject.name], subject) for subject in SUBJECTS] == [True] * 3
    assert tokens.puts == ["dba", "alice", "bob", "alice", "bob"]


def test_the_token_of_someone_who_left_goes(upkeep: Upkeep, tokens: Tokens) -> None:
    upkeep.look()
    replace(upkeep, subjects=SUBJECTS[:2]).look()
    assert set(tokens.kept) == {"dba", "alice"}


def test_one_whose_token_cannot_be_kept_starves_nobody_and_is_tried_again_at_the_next_look(
    upkeep: Upkeep, tokens: Tokens, clock: Clock
) -> None:
    tokens.failing = {"alice"}
    tokens.kept["eve"] = "x"
    with pytest.raises(StoreError, match="The token of alice, of dba, cannot be kept"):
        upkeep.look()
    assert tokens.puts == ["dba", "bob"]
    assert "eve" in tokens.kept, "nothing is removed where not everything could be looked at"
    tokens.failing = set()
    clock.now += LOOK_EVERY
    upkeep.look()
    assert set(tokens.kept) == {"dba", "alice", "bob"}
    assert len(tokens.puts) == 3


def test_a_store_that_is_away_changes_nothing(upkeep: Upkeep, tokens: Tokens, store: RingStore) -> None:
    store.away = True
    with pytest.raises(StoreAwayError):
        upkeep.look()
    assert tokens == Tokens()


def test_one_that_does_not_lead_writes_nothing_and_learns_of_a_rotation(
    upkeep: Upkeep, tokens: Tokens, lead: Lead, store: RingStore, clock: Clock
) -> None:
    lead.leading = False
    upkeep.rotate_every = OVERLAP + 1
    store.ring = KeyRing.of(a_key(0), START - 10 * OVERLAP).with_next(a_key(1), START).announced(START, OVERLAP)
    looks(upkeep, clock, 2 * OVERLAP)
    assert tokens == Tokens()
    assert store.updates == []
    assert upkeep.keychain.ring is store.ring
    assert upkeep.expiries == {}


def test_one_that_cannot_ask_who_leads_writes_nothing_and_learns_of_a_rotation_all_the_same(
    upkeep: Upkeep, tokens: Tokens, lead: Lead, store: RingStore
) -> None:
    upkeep.look()
    before = replace(tokens, puts=list(tokens.puts), published=list(tokens.published))
    lead.away = True
    store.ring = KeyRing.of(a_key(1), START)
    with pytest.raises(StoreAwayError):
        upkeep.look()
    assert tokens == before
    assert upkeep.keychain.ring is store.ring


def test_a_new_leader_looks_at_the_tokens_at_once(upkeep: Upkeep, tokens: Tokens, lead: Lead, clock: Clock) -> None:
    upkeep.look()
    lead.leading = False
    looks(upkeep, clock, LOOK_EVERY)
    assert upkeep.expiries == {}
    del tokens.kept["alice"]
    lead.leading = True
    looks(upkeep, clock, LOOK_EVERY)
    assert "alice" in tokens.kept
    assert set(upkeep.expiries) == {"dba", "alice", "bob"}


def test_a_new_leader_whose_first_look_fails_looks_at_the_tokens_at_the_next(
    upkeep: Upkeep, tokens: Tokens, lead: Lead, store: RingStore, clock: Clock
) -> None:
    upkeep.look()
    lead.leading = False
    looks(upkeep, clock, LOOK_EVERY)
    del tokens.kept["alice"]
    lead.leading = store.away = True
    with pytest.raises(StoreAwayError):
        upkeep.look()
    store.away = False
    looks(upkeep, clock, LOOK_EVERY)
    assert "alice" in tokens.kept


def test_who_stops_to_lead_in_the_middle_of_a_round_writes_no_more(upkeep: Upkeep, tokens: Tokens, lead: Lead) -> None:
    tokens.kept["eve"] = "x"
    lead.holds_for = 2
    with pytest.raises(StoreError, match="stopped to lead in the middle"):
        upkeep.look()
    assert tokens.puts == ["dba", "alice"]
    assert "eve" in tokens.kept


def test_a_round_that_takes_longer_than_a_lease_goes_on_and_nobody_else_leads_meanwhile(
    upkeep: Upkeep, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    upkeep.leadership, other = world.replica("this"), world.replica("other")
    upkeep.subjects = tuple(Subject(f"user-{number}", "dba") for number in range(1500))
    answers: set[bool] = set()
    put = tokens.put

    def slow(sub: str, team: str, token: str) -> None:
        world.now += 4
        answers.add(other.leads())
        put(sub, team, token)

    monkeypatch.setattr(tokens, "put", slow)
    upkeep.look()
    assert len(tokens.kept) == 1500
    assert world.now > 100 * DEADLINE
    assert answers == {False}


def test_what_is_deleted_is_made_anew_and_everyone_has_a_token_by_the_new_key(
    upkeep: Upkeep, tokens: Tokens, store: RingStore, clock: Clock
) -> None:
    upkeep.look()
    store.ring = None
    looks(upkeep, clock, 2 * LOOK_EVERY)
    assert store.ring is not None
    (key,) = store.ring.keys
    assert key.kid != a_key(0).kid
    assert {jwt.get_unverified_header(token)["kid"] for token in tokens.kept.values()} == {key.kid}
    assert tokens.published[-1] == upkeep.keychain.key_set()


@dataclass
class Loop:
    """A `sleep` that moves the clock, and that many times; by `step`, where it is not to take as many as it would."""

    clock: Clock
    times: int
    step: float | None = None
    slept: list[float] = field(default_factory=list)
    before: Callable[[int], None] = lambda _: None

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == self.times:
            raise EnoughError
        self.before(len(self.slept))
        self.clock.now += self.step or seconds


async def test_it_looks_every_few_seconds(upkeep: Upkeep, tokens: Tokens, clock: Clock) -> None:
    loop = upkeep.sleep = Loop(clock, times=4)
    with pytest.raises(EnoughError):
        await upkeep.run()
    assert loop.slept == [LOOK_EVERY] * 4
    assert len(tokens.published) == 4
    assert upkeep.failures == 0


async def test_a_look_that_fails_is_counted_and_logged_and_tried_again(
    upkeep: Upkeep, tokens: Tokens, store: RingStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store.away = True

    def comes_back(looks: int) -> None:
        store.away = looks < 3

    upkeep.sleep = Loop(clock, times=4, before=comes_back)
    with pytest.raises(EnoughError):
        await upkeep.run()
    assert upkeep.failures == 3
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 3
    assert errors[0].endswith("which will be tried again: The store is away. Wait.")
    assert len(tokens.kept) == 3


@pytest.mark.parametrize("error", [ValueError("odd"), RuntimeError(), KeyError("x"), TimeoutError(), jwt.PyJWTError("odd")])
async def test_no_exception_whatever_ends_it(
    upkeep: Upkeep, tokens: Tokens, clock: Clock, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(_: bytes) -> None:
        raise error

    monkeypatch.setattr(tokens, "publish", fails)
    upkeep.sleep = Loop(clock, times=2, before=lambda _: monkeypatch.undo())
    with pytest.raises(EnoughError):
        await upkeep.run()
    assert upkeep.failures == 1
    assert len(tokens.kept) == 3


async def test_the_log_says_whose_tokens_and_never_a_token_or_a_key(
    upkeep: Upkeep, tokens: Tokens, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens.failing = {"bob"}
    upkeep.rotate_every = OVERLAP + 1
    upkeep.sleep = Loop(clock, times=50, step=60)
    with pytest.raises(EnoughError):
        await upkeep.run()
    assert f"Wrote 2 tokens, valid for {TTL} s: dba, alice." in caplog.text
    assert f"Published the next key, which signs in {OVERLAP} s." in caplog.text
    assert "Removed the keys whose last token has expired." in caplog.text
    secrets = [part for token in tokens.kept.values() for part in token.split(".")]
    assert not any(secret in caplog.text for secret in (*secrets, "BEGIN"))


def test_a_long_list_of_tokens_is_cut_in_the_log(upkeep: Upkeep, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    upkeep.subjects = tuple(Subject(f"user-{number}", "dba") for number in range(200))
    upkeep.look()
    assert "Wrote 200 tokens" in caplog.text
    assert len(caplog.text) < 700


def test_what_is_kept_in_a_folder_is_what_a_gateway_and_an_agent_read(tmp_path: Path, clock: Clock) -> None:
    keychain = Keychain(KeyFolder(tmp_path), clock)
    mint = Mint(keychain, "agentic-budgets", "mock-llm", TTL, clock)
    Upkeep(keychain, TokenFolder(tmp_path), mint, SUBJECTS, Lead(), OVERLAP, clock=clock).look()
    keys = jwt.PyJWKSet.from_json((tmp_path / "jwks.json").read_text())
    token = (tmp_path / "tokens" / "alice.jwt").read_text()
    claims = jwt.decode(token, keys.keys[0], algorithms=["RS256"], audience="mock-llm", options={"verify_exp": False})
    assert (claims["sub"], claims["team"]) == ("alice", "dba")
