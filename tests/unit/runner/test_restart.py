from runner.restart import Restart, RestartPolicy, Restarts, doubling


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def restarts(clock: Clock, allowed: int = 2) -> Restarts:
    return Restarts(RestartPolicy(restarts=allowed, window=60, backoff=lambda number: number * 10, clock=clock))


def test_restarts_are_numbered_and_each_has_its_pause() -> None:
    counted = restarts(Clock())
    assert counted.another() == Restart(number=1, of=2, after=10)
    counted.came_back()
    assert counted.another() == Restart(number=2, of=2, after=20)


def test_one_more_than_allowed_within_the_window_is_refused() -> None:
    clock = Clock()
    counted = restarts(clock)
    for _ in range(2):
        assert counted.another()
        counted.came_back()
        clock.now += 29.9
    assert counted.another() is None


def test_restarts_older_than_the_window_are_forgotten() -> None:
    clock = Clock()
    counted = restarts(clock)
    assert counted.another()
    clock.now += 30
    counted.came_back()
    assert counted.another()
    counted.came_back()
    clock.now += 30
    assert counted.another() == Restart(number=2, of=2, after=20)


def test_restarts_that_never_brought_it_back_are_not_forgotten() -> None:
    clock = Clock()
    counted = restarts(clock)
    for _ in range(2):
        assert counted.another()
        clock.now += 1000
    assert counted.another() is None


def test_a_policy_of_no_restarts_refuses_the_first() -> None:
    assert restarts(Clock(), allowed=0).another() is None


def test_the_first_restart_is_at_once_and_the_pauses_grow_to_a_bound() -> None:
    pauses = [doubling(number) for number in range(1, 9)]
    assert pauses == [0, 0.2, 0.4, 0.8, 1.6, 3, 3, 3]
    assert doubling(100_000) == 3
