from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jwt_issuer.keys.ring import LEEWAY, KeyRing, RotationError, State
from tests.unit.jwt_issuer.rings import START, a_key

OVERLAP = 1200
KEYS = 12
"""So many are made for the tests, and no more."""


def states(ring: KeyRing, now: float) -> list[tuple[str, State]]:
    return [(place.key.kid, place.state) for place in ring.places(now)]


def kids(*numbers: int) -> list[str]:
    return [a_key(number).kid for number in numbers]


def rotated(ttl: int = 600) -> KeyRing:
    """The first key has signed tokens of that lifetime; the second was published at START."""
    return KeyRing.of(a_key(0), START - 9000).signing_for(ttl, START).with_next(a_key(1), START).announced(START, OVERLAP)


def test_the_first_key_signs_at_once() -> None:
    ring = KeyRing.of(a_key(0), START)
    assert states(ring, START) == [(a_key(0).kid, State.CURRENT)]
    assert ring.current(START).kid == a_key(0).kid
    assert [place.leaves_at for place in ring.places(START)] == [None]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (0, [State.CURRENT, State.NEXT]),
        (OVERLAP - 0.1, [State.CURRENT, State.NEXT]),
        (OVERLAP, [State.RETIRING, State.CURRENT]),
        (OVERLAP + 600 + LEEWAY - 0.1, [State.RETIRING, State.CURRENT]),
        (OVERLAP + 600 + LEEWAY, [State.CURRENT]),
    ],
)
def test_a_key_is_published_then_signs_then_stays_until_its_last_token_has_expired(after: float, expected: list[State]) -> None:
    ring = rotated(ttl=600)
    now = START + after
    found = states(ring, now)
    assert [state for _, state in found] == expected
    assert found == list(zip(kids(0, 1)[-len(found) :], expected, strict=True))
    assert (ring.current(now).kid, State.CURRENT) in found


def test_the_time_at_which_a_key_leaves_is_known_as_soon_as_another_waits() -> None:
    assert [place.leaves_at for place in rotated(ttl=600).places(START)] == [START + OVERLAP + 600 + LEEWAY, None]


def test_a_clock_that_is_set_back_lets_the_one_before_sign_again_and_keeps_the_later_one_published() -> None:
    ring = rotated()
    assert ring.current(START + OVERLAP).kid == a_key(1).kid
    assert states(ring, START + 1) == list(zip(kids(0, 1), (State.CURRENT, State.NEXT), strict=True))


def test_a_clock_from_before_the_first_key_lets_that_one_sign() -> None:
    assert KeyRing.of(a_key(0), START).current(START - 9000).kid == a_key(0).kid


def test_a_rotation_with_a_clock_from_before_the_first_key_takes_its_time_too_and_is_not_undone_later() -> None:
    ring = KeyRing.of(a_key(0), START).with_next(a_key(1), START - 9000).announced(START - 9000, OVERLAP)
    signs_from = START - 9000 + OVERLAP
    assert [key.kid for key in ring.keys] == kids(0, 1)
    assert states(ring, signs_from - 1) == list(zip(kids(0, 1), (State.CURRENT, State.NEXT), strict=True))
    assert [ring.current(now).kid for now in (signs_from, START - 1, START, START + 9000)] == kids(1) * 4


def test_a_key_that_was_added_waits_for_whoever_publishes_it() -> None:
    ring = KeyRing.of(a_key(0), START).with_next(a_key(1), START)
    assert (ring.keys[1].published, ring.keys[1].signs_from) == (None, None)
    for now in (START, START + 10**9):
        assert states(ring, now) == list(zip(kids(0, 1), (State.CURRENT, State.NEXT), strict=True))
        assert [place.leaves_at for place in ring.places(now)] == [None, None]
        assert ring.without_expired(now) is ring
        assert ring.next(now) is ring.keys[1]


def test_its_time_runs_from_when_it_is_published() -> None:
    published = START + 10 * OVERLAP
    ring = KeyRing.of(a_key(0), START).with_next(a_key(1), START).announced(published, OVERLAP)
    assert (ring.keys[1].published, ring.keys[1].signs_from) == (published, published + OVERLAP)
    assert ring.announced(published + 1, OVERLAP) is ring
    assert ring.announced(published + OVERLAP, OVERLAP) is ring


def test_a_ring_in_which_nothing_waits_has_nothing_to_announce() -> None:
    ring = KeyRing.of(a_key(0), START)
    assert ring.announced(START, OVERLAP) is ring


def test_what_a_clock_that_was_ahead_has_said_is_said_anew() -> None:
    ahead = rotated().announced(START, OVERLAP)
    assert ahead.announced(START, OVERLAP) is ahead
    anew = ahead.announced(START - 1, OVERLAP)
    assert (anew.keys[1].published, anew.keys[1].signs_from) == (START - 1, START - 1 + OVERLAP)


def test_one_key_waits_behind_another_where_the_clock_of_who_rotates_is_ahead() -> None:
    ring = rotated().with_next(a_key(2), START + OVERLAP)
    assert [state for _, state in states(ring, START)] == [State.CURRENT, State.NEXT, State.NEXT]
    assert ring.next(START) is ring.keys[1]
    assert ring.announced(START + 1, OVERLAP) is ring, "its time has not come"
    announced = ring.announced(START + OVERLAP, OVERLAP)
    assert [key.signs_from for key in announced.keys[1:]] == [START + OVERLAP, START + 2 * OVERLAP]


def test_no_second_key_is_added_while_one_waits() -> None:
    with pytest.raises(RotationError) as refused:
        rotated().with_next(a_key(2), START + 200).announced(START + 200, OVERLAP)
    assert str(refused.value) == f"The key {a_key(1).kid} waits already, and signs in 1000 s. Rotate again after that."


def test_no_second_key_is_added_while_one_waits_to_be_published() -> None:
    ring = KeyRing.of(a_key(0), START).with_next(a_key(1), START)
    with pytest.raises(RotationError, match=f"The key {a_key(1).kid} waits already, and signs once it is published. Rotate"):
        ring.with_next(a_key(2), START + 10**9)


def test_a_key_is_added_once_the_one_before_it_signs() -> None:
    ring = rotated(ttl=6000).with_next(a_key(2), START + OVERLAP).announced(START + OVERLAP, OVERLAP)
    assert [state for _, state in states(ring, START + OVERLAP)] == [State.RETIRING, State.CURRENT, State.NEXT]


def test_a_key_that_is_there_is_not_added_again() -> None:
    with pytest.raises(RotationError, match=rf"The key {a_key(0).kid} is in the ring already\. Import another"):
        KeyRing.of(a_key(0), START).with_next(a_key(0), START)


def test_the_longest_lifetime_only_grows_and_is_that_of_the_key_that_signs() -> None:
    ring = rotated(ttl=600)
    longer = ring.signing_for(900, START + OVERLAP)
    assert [key.longest_ttl for key in longer.keys] == [600, 900]
    assert longer.signing_for(60, START + OVERLAP) is longer
    assert longer.signing_for(900, START + OVERLAP) is longer


def test_what_has_expired_goes_and_a_ring_without_it_is_the_same_one() -> None:
    ring = rotated(ttl=600)
    gone = START + OVERLAP + 600 + LEEWAY
    assert ring.without_expired(gone - 1) is ring
    assert [key.kid for key in ring.without_expired(gone).keys] == kids(1)


def test_the_last_key_never_expires() -> None:
    ring = KeyRing.of(a_key(0), START)
    assert ring.without_expired(START + 10**9) is ring


def test_a_key_is_found_for_as_long_as_verifiers_are_to_know_it() -> None:
    ring = rotated(ttl=600)
    found = ring.find(a_key(0).kid, START + OVERLAP)
    assert found is not None
    assert (found.key, found.state) == (ring.keys[0], State.RETIRING)
    assert ring.find(a_key(0).kid, START + OVERLAP + 600 + LEEWAY) is None
    assert ring.find("unknown", START) is None


@given(st.lists(st.integers(0, 5000), max_size=4))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_exactly_one_key_signs_at_any_time(steps: list[int]) -> None:
    ring, now = KeyRing.of(a_key(0), START), START
    for number, step in enumerate(steps, start=1):
        now += OVERLAP + step
        ring = ring.with_next(a_key(number), now).announced(now, OVERLAP)
    ring = ring.with_next(a_key(len(steps) + 1), now + OVERLAP)
    for time in (START - 1, *(key.signs_from or 0 for key in ring.keys), now, now + 10**9):
        assert [state for _, state in states(ring, time)].count(State.CURRENT) == 1


class Rotation(RuleBasedStateMachine):
    """Whoever rotates by whatever clock, however the server's is set back, and whatever cannot be published: no verifier
    refuses a good token."""

    @initialize(overlap=st.integers(1, 3000))
    def begin(self, overlap: int) -> None:
        self.overlap = overlap
        self.now = START
        """By the server's clock."""
        self.passed = 0
        """Seconds, which setting the clock does not change."""
        self.ring = KeyRing.of(a_key(0), START)
        self.made = 1
        self.published: dict[str, float] = {a_key(0).kid: float("-inf")}
        """How much had passed when a key was first published; one that signs at once is none to wait for."""
        self.tokens: set[tuple[str, int, int]] = set()
        """The kid, `iat` and `exp` of each that never was expired, nor of a time to come, by any clock."""

    @rule(ahead=st.one_of(st.just(0), st.integers(-9000, 9000)))
    def rotate(self, ahead: int) -> None:
        """By a command, whose clock is that many seconds ahead of the server's."""
        if self.made == KEYS:
            return
        try:
            self.ring = self.ring.with_next(a_key(self.made), self.now + ahead)
        except RotationError:
            assert State.NEXT in [place.state for place in self.ring.places(self.now + ahead)]
            return
        self.made += 1

    @rule(ahead=st.one_of(st.just(0), st.integers(-9000, 9000)))
    def replace_at_once(self, ahead: int) -> None:
        if self.made == KEYS:
            return
        self.ring = KeyRing.of(a_key(self.made), self.now + ahead)
        self.published[a_key(self.made).kid] = float("-inf")
        self.made += 1
        self.tokens.clear()

    @rule(fails=st.sampled_from([False, False, True]))
    def publish(self, fails: bool) -> None:
        if fails:
            return
        for place in self.ring.places(self.now):
            self.published.setdefault(place.key.kid, self.passed)
        self.ring = self.ring.announced(self.now, self.overlap)

    @rule(ttl=st.integers(1, 5000))
    def sign(self, ttl: int) -> None:
        self.ring = self.ring.signing_for(ttl, self.now)
        self.tokens.add((self.ring.current(self.now).kid, self.now, self.now + ttl))

    @rule(seconds=st.one_of(st.integers(0, 60), st.integers(0, 4000)))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.passed += seconds
        self._forget_what_no_verifier_takes()

    @rule(seconds=st.integers(1, 4000))
    def set_the_clock_back(self, seconds: int) -> None:
        self.now -= seconds
        self._forget_what_no_verifier_takes()

    @rule()
    def prune(self) -> None:
        self.ring = self.ring.without_expired(self.now)

    @invariant()
    def every_good_token_is_verifiable_from_now_on_until_it_expires(self) -> None:
        for kid, _, expires in self.tokens:
            assert self.ring.find(kid, self.now) is not None
            assert self.ring.find(kid, expires - 1) is not None
            assert self.ring.without_expired(expires - 1).find(kid, expires - 1) is not None

    @invariant()
    def whoever_signs_was_published_long_enough_before(self) -> None:
        assert self.passed - self.published[self.ring.current(self.now).kid] >= self.overlap

    @invariant()
    def only_the_last_key_waits_to_be_published(self) -> None:
        assert all(key.signs_from is not None for key in (self.ring.keys[0], *self.ring.keys[:-1]))
        assert len({key.kid for key in self.ring.keys}) == len(self.ring.keys)

    @invariant()
    def who_is_published_waits_no_longer_than_the_overlap(self) -> None:
        waiting = self.ring.announced(self.now, self.overlap).next(self.now)
        assert waiting is None or (waiting.signs_from is not None and waiting.signs_from <= self.now + self.overlap)

    def _forget_what_no_verifier_takes(self) -> None:
        self.tokens = {token for token in self.tokens if token[1] - LEEWAY <= self.now < token[2]}


TestRotation = Rotation.TestCase
# The keys are made in the first examples, which takes long.
TestRotation.settings = settings(
    deadline=None, max_examples=150, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow]
)


def test_a_ring_is_a_value() -> None:
    ring = rotated()
    assert ring == replace(ring)
    assert ring != ring.signing_for(601, START)
