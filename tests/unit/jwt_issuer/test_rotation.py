"""How keys come and go by themselves while the issuer runs."""

import json
import logging

import pytest

from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.keys.ring import LEEWAY, KeyRing, State
from jwt_issuer.stores import StoreError
from jwt_issuer.tokens import Mint
from jwt_issuer.upkeep import LOOK_EVERY, Upkeep

from .looking import OVERLAP, SUBJECTS, TTL, looks
from .rings import START, Clock, RingStore, a_key
from .stores import Lead, Tokens


def all_states(upkeep: Upkeep) -> list[State]:
    return [place.state for place in upkeep.keychain.ring.places(upkeep.clock())]


def test_a_key_whose_last_token_has_expired_is_removed(upkeep: Upkeep, store: RingStore, clock: Clock) -> None:
    upkeep.look()
    upkeep.keychain.change(lambda ring: ring.with_next(a_key(1), START).announced(START, OVERLAP))
    clock.now = START + OVERLAP + TTL + LEEWAY - 1
    upkeep.look()
    assert store.ring is not None
    assert [key.kid for key in store.ring.keys] == [a_key(0).kid, a_key(1).kid]
    clock.now += 1
    upkeep.look()
    assert [key.kid for key in store.ring.keys] == [a_key(1).kid]


def add_next(store: RingStore) -> None:
    """As the command does, by a clock that is far behind."""
    store.update(lambda ring: (ring or KeyRing.of(a_key(0), START)).with_next(a_key(1), START))


def test_a_next_key_signs_when_it_has_been_published_for_the_overlap(
    upkeep: Upkeep, tokens: Tokens, store: RingStore, clock: Clock
) -> None:
    upkeep.look()
    add_next(store)
    clock.now += LOOK_EVERY
    upkeep.look()
    assert [key["kid"] for key in json.loads(tokens.published[-1])["keys"]] == [a_key(0).kid, a_key(1).kid]
    published = int(clock.now)
    looks(upkeep, clock, OVERLAP - LOOK_EVERY)
    assert all_states(upkeep) == [State.CURRENT, State.NEXT]
    looks(upkeep, clock, LOOK_EVERY)
    assert all_states(upkeep) == [State.RETIRING, State.CURRENT]
    waited = upkeep.keychain.ring.keys[1]
    assert (waited.published, waited.signs_from) == (published, published + OVERLAP)


def test_a_key_is_announced_only_after_it_was_published(
    upkeep: Upkeep, tokens: Tokens, store: RingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_next(store)
    seen: list[tuple[int, int | None]] = []

    def publish(key_set: bytes) -> None:
        assert store.ring is not None
        seen.append((len(json.loads(key_set)["keys"]), store.ring.keys[1].signs_from))

    monkeypatch.setattr(tokens, "publish", publish)
    upkeep.look()
    upkeep.look()
    assert seen == [(2, None), (2, START + OVERLAP)]


def test_a_slow_publication_is_announced_from_its_end_on(
    upkeep: Upkeep, tokens: Tokens, store: RingStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_next(store)

    def publish(_: bytes) -> None:
        clock.now += 40

    monkeypatch.setattr(tokens, "publish", publish)
    upkeep.look()
    assert upkeep.keychain.ring.keys[1].published == START + 40


def test_a_key_set_that_cannot_be_published_keeps_the_next_key_from_signing_and_no_token_from_being_renewed(
    upkeep: Upkeep, tokens: Tokens, store: RingStore, clock: Clock
) -> None:
    tokens.foreign = True
    add_next(store)
    seen: set[int] = set()
    for _ in range(2 * OVERLAP // 60):
        clock.now += 60
        with pytest.raises(StoreError, match="The key set is somebody else's"):
            upkeep.look()
        seen.add(tokens.issued())
        assert all_states(upkeep) == [State.CURRENT, State.NEXT]
    assert sorted(seen) == list(range(60, 2 * OVERLAP + 60, 300))
    tokens.foreign = False
    upkeep.look()
    assert upkeep.keychain.ring.keys[1].signs_from == clock.now + OVERLAP


def test_keys_that_cannot_be_written_keep_the_key_set_and_the_tokens_from_nothing(
    upkeep: Upkeep, tokens: Tokens, store: RingStore, clock: Clock
) -> None:
    upkeep.look()
    upkeep.rotate_every = OVERLAP + 1
    store.full = tokens.foreign = True
    clock.now += TTL
    with pytest.raises(StoreError, match="The store is full"):
        upkeep.look()
    assert tokens.issued() == TTL
    tokens.foreign = False
    with pytest.raises(StoreError, match="The store is full"):
        upkeep.look()
    assert len(tokens.published) == 2


def test_a_rotation_while_nobody_served_takes_its_time_from_the_start_on(
    store: RingStore, tokens: Tokens, lead: Lead, clock: Clock
) -> None:
    add_next(store)
    clock.now += 10 * OVERLAP
    keychain = Keychain(store, clock, OVERLAP)
    upkeep = Upkeep(keychain, tokens, Mint(keychain, "i", "a", TTL, clock), SUBJECTS, lead, OVERLAP, clock=clock)
    upkeep.look()
    looks(upkeep, clock, OVERLAP - LOOK_EVERY)
    assert all_states(upkeep) == [State.CURRENT, State.NEXT]
    looks(upkeep, clock, LOOK_EVERY)
    assert all_states(upkeep) == [State.RETIRING, State.CURRENT]


def test_who_does_not_lead_announces_nothing(upkeep: Upkeep, store: RingStore, lead: Lead) -> None:
    lead.leading = False
    add_next(store)
    upkeep.look()
    assert all_states(upkeep) == [State.CURRENT, State.NEXT]
    assert upkeep.keychain.ring.keys[1].signs_from is None


def test_no_key_is_rotated_unless_asked_for(upkeep: Upkeep, clock: Clock) -> None:
    clock.now += 10**8
    upkeep.look()
    assert all_states(upkeep) == [State.CURRENT]


def test_a_key_signs_for_as_long_as_was_asked_for(upkeep: Upkeep, store: RingStore, clock: Clock) -> None:
    upkeep.rotate_every = 5000
    clock.now = START + 5000 - OVERLAP - 1
    upkeep.look()
    assert all_states(upkeep) == [State.CURRENT]
    clock.now += 1
    upkeep.look()
    assert all_states(upkeep) == [State.CURRENT, State.NEXT]
    assert store.ring is not None
    assert store.ring.keys[1].signs_from == START + 5000


def test_no_other_key_is_tried_while_one_waits(upkeep: Upkeep, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    upkeep.rotate_every = OVERLAP + 1
    clock.now += 10 * OVERLAP
    upkeep.look()
    looks(upkeep, clock, 5 * LOOK_EVERY)
    assert all_states(upkeep) == [State.CURRENT, State.NEXT]
    assert "Somebody else" not in caplog.text


def test_who_loses_the_race_to_rotate_takes_the_winners_key(
    upkeep: Upkeep, store: RingStore, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    upkeep.rotate_every = OVERLAP + 1
    clock.now += 10 * OVERLAP
    refresh = upkeep.keychain.refresh
    winners = KeyRing.of(a_key(0), START).with_next(a_key(1), int(clock.now)).announced(int(clock.now), OVERLAP)

    def refresh_just_before() -> None:
        refresh()
        store.ring = winners

    monkeypatch.setattr(upkeep.keychain, "refresh", refresh_just_before)
    upkeep.look()
    assert store.ring is not None
    assert [key.kid for key in store.ring.keys] == [a_key(0).kid, a_key(1).kid]
    assert "Somebody else was first to rotate" in caplog.text
