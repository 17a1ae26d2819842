import pytest

from jwt_issuer.oauth.throttle import FORGOTTEN_AFTER, FREE, LONGEST_WAIT, MOST_GUESSERS, Guesser, Throttle

from .token_clients import Clock

GUESSER = Guesser.of("192.0.2.1", "ci")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(clock)


def fail(throttle: Throttle, times: int, guesser: Guesser = GUESSER) -> None:
    for _ in range(times):
        throttle.failed(guesser)


def test_the_first_failures_cost_no_wait_and_the_next_ones_double_it(throttle: Throttle) -> None:
    waits = []
    for _ in range(FREE + 9):
        throttle.failed(GUESSER)
        waits.append(throttle.wait(GUESSER))
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_failures_without_end_wait_no_longer(throttle: Throttle) -> None:
    fail(throttle, 3000)
    assert throttle.wait(GUESSER) == LONGEST_WAIT


def test_a_wait_passes(throttle: Throttle, clock: Clock) -> None:
    fail(throttle, FREE + 3)
    clock.now += 3
    assert throttle.wait(GUESSER) == 1
    clock.now += 1
    assert throttle.wait(GUESSER) == 0
    clock.now += 100
    assert throttle.wait(GUESSER) == 0


def test_it_says_how_many_have_failed(throttle: Throttle) -> None:
    assert [throttle.failed(GUESSER) for _ in range(3)] == [1, 2, 3]


def test_success_clears(throttle: Throttle) -> None:
    fail(throttle, FREE)
    throttle.succeeded(GUESSER)
    assert len(throttle) == 0
    fail(throttle, FREE)
    assert throttle.wait(GUESSER) == 0


def test_success_of_one_who_never_failed_is_nothing(throttle: Throttle) -> None:
    throttle.succeeded(GUESSER)
    assert len(throttle) == 0


@pytest.mark.parametrize("other", [Guesser.of("192.0.2.2", "ci"), Guesser.of("192.0.2.1", "cd")])
def test_nobody_else_waits(throttle: Throttle, other: Guesser) -> None:
    fail(throttle, FREE + 5)
    assert throttle.wait(other) == 0


def test_failures_are_forgotten_after_a_while_without_one(throttle: Throttle, clock: Clock) -> None:
    fail(throttle, FREE + 3)
    clock.now += FORGOTTEN_AFTER - 1
    assert throttle.failed(GUESSER) == FREE + 4
    clock.now += FORGOTTEN_AFTER
    assert throttle.failed(GUESSER) == 1


def test_looking_and_what_is_long_past_keep_nothing(throttle: Throttle, clock: Clock) -> None:
    throttle.wait(GUESSER)
    assert len(throttle) == 0
    throttle.failed(GUESSER)
    clock.now += FORGOTTEN_AFTER
    throttle.wait(GUESSER)
    assert len(throttle) == 0


def test_of_too_many_the_least_recent_is_dropped(throttle: Throttle) -> None:
    second = Guesser.of("192.0.2.1", "second")
    fail(throttle, FREE + 4)
    fail(throttle, FREE + 4, second)
    throttle.failed(GUESSER)
    for index in range(MOST_GUESSERS - 1):
        throttle.failed(Guesser.of("192.0.2.9", str(index)))
    assert len(throttle) == MOST_GUESSERS
    assert throttle.wait(second) == 0
    assert throttle.wait(GUESSER) > 0


def test_long_names_are_cut_and_not_to_the_name_of_a_client() -> None:
    longest_client = "c" * 128
    guesser = Guesser.of("1" * 70_000, longest_client + "d" * 8000)
    assert len(guesser.address) == 64
    assert len(guesser.client_id) == 129
    assert Guesser.of("a", longest_client + "d") != Guesser.of("a", longest_client)
