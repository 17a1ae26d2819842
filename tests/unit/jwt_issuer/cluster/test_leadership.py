from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from kubernetes.client import V1Lease, V1LeaseSpec, V1ObjectMeta

from jwt_issuer.cluster.leadership import DEADLINE, DURATION
from jwt_issuer.stores import StoreAwayError
from tests.unit.jwt_issuer.cluster.leases import World, lost, unanswered


def test_the_first_leads_and_the_second_does_not() -> None:
    world = World()
    first, second = world.replica("first"), world.replica("second")

    assert first.leads()
    assert not second.leads()
    assert first.leads()
    assert (first.holds, second.holds) == (True, False)


def test_who_renews_leads_on() -> None:
    world = World()
    first, second = world.replica("first"), world.replica("second")

    for world.now in range(0, 100, 4):
        assert first.leads()
        assert not second.leads()


def test_who_renews_no_more_is_replaced() -> None:
    world = World()
    first, second = world.replica("first"), world.replica("second", ahead=1e6)
    first.leads()
    assert not second.leads()

    world.now += DURATION - 0.1
    assert not second.leads()
    world.now += 0.1
    assert second.leads()
    assert not first.leads()


def test_a_replica_that_comes_late_waits_from_when_it_came() -> None:
    """It cannot know when the last renewal was: the two clocks may differ."""
    world = World()
    first, second = world.replica("first"), world.replica("second")
    first.leads()

    world.now += DURATION - 1
    assert not second.leads()
    world.now += DURATION - 1
    assert not second.leads()
    world.now += 1
    assert second.leads()


def test_the_holder_steps_down_before_another_may_lead() -> None:
    world = World()
    first, second = world.replica("first"), world.replica("second")
    first.leads()
    second.leads()
    world.carry = lost

    world.now += DEADLINE - 0.1
    assert first.leads()
    world.now += 0.1
    assert not first.holds
    with pytest.raises(StoreAwayError):
        first.leads()
    world.carry = World.carry
    assert not second.leads()


def test_who_led_not_says_that_it_cannot_ask() -> None:
    world = World(carry=lost)

    with pytest.raises(StoreAwayError, match="get leases/jwt-issuer in the namespace ns"):
        world.replica("first").leads()


def test_a_release_lets_another_take_over_at_once() -> None:
    world = World()
    first, second = world.replica("first"), world.replica("second")
    first.leads()
    second.leads()

    first.release()

    assert world.holder() is None
    assert not first.holds
    assert second.leads()


def test_a_release_is_for_good() -> None:
    world = World()
    first = world.replica("first")
    first.leads()
    first.release()

    assert not first.leads()
    assert world.holder() is None


@pytest.mark.parametrize("led", [True, False])
def test_a_release_leaves_the_lease_of_another(led: bool) -> None:
    world = World()
    first, second = world.replica("first"), world.replica("second")
    if led:
        first.leads()
        second.leads()
        world.now += DURATION
    assert second.leads()

    first.release()

    assert world.holder() == "second"
    assert second.leads()


def test_a_release_before_there_is_a_lease_makes_none() -> None:
    world = World()
    world.replica("first").release()

    assert world.lease is None


@pytest.mark.parametrize("carry", [lost, unanswered])
def test_a_release_that_fails_is_logged_and_leads_no_more(
    carry: Callable[[Callable[[], V1Lease]], V1Lease], caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    first = world.replica("first")
    first.leads()
    world.carry = carry

    first.release()

    assert not first.holds
    assert "The lease is not released, and runs out in 15 s: The Kubernetes API cannot be reached" in caplog.text


def test_a_release_that_loses_against_another_is_none_of_its_business() -> None:
    world = World()
    first, second = world.replica("first"), world.replica("second")
    first.leads()
    second.leads()

    def taken_over_before(commit: Callable[[], V1Lease]) -> V1Lease:
        world.carry = overtaken
        return commit()

    def overtaken(commit: Callable[[], V1Lease]) -> V1Lease:
        world.carry = World.carry
        world.now += DURATION
        assert second.leads()
        return commit()

    world.carry = taken_over_before
    first.release()

    assert world.holder() == "second"


def test_a_renewal_that_was_not_answered_is_none() -> None:
    """It may or may not have arrived; the next one finds out."""
    world = World()
    first = world.replica("first")
    first.leads()
    world.now += DEADLINE
    world.carry = unanswered

    with pytest.raises(StoreAwayError):
        first.leads()
    world.carry = World.carry
    assert first.leads()


def test_a_slow_renewal_counts_from_when_it_was_asked_for() -> None:
    world = World()
    first = world.replica("first")

    def slow(commit: Callable[[], V1Lease]) -> V1Lease:
        made = commit()
        world.now += 4
        return made

    world.carry = slow
    world.lease = V1Lease(metadata=V1ObjectMeta(name="jwt-issuer", resource_version="1"), spec=V1LeaseSpec())
    assert first.leads()
    world.now += DEADLINE - 8 - 0.1
    assert first.holds
    world.now += 0.1
    assert not first.holds


def test_an_empty_lease_is_free() -> None:
    world = World(lease=V1Lease(metadata=V1ObjectMeta(name="jwt-issuer", resource_version="1")))

    assert world.replica("first").leads()


def test_a_holder_that_asks_for_longer_is_not_given_longer() -> None:
    """Nobody knows what somebody else wrote there, and a lease of a year would stop all renewals."""
    spec = V1LeaseSpec(holder_identity="of another release", lease_duration_seconds=40)
    world = World(lease=V1Lease(metadata=V1ObjectMeta(name="jwt-issuer", resource_version="1"), spec=spec))
    replica = world.replica("first")

    assert not replica.leads()
    world.now += DURATION - 1
    assert not replica.leads()
    world.now += 1
    assert replica.leads()


def test_the_lease_tells_a_person_who_leads_and_since_when() -> None:
    world = World()
    first, second = world.replica("first"), world.replica("second")
    first.leads()
    acquired = spec_of(world).acquire_time
    first.leads()

    spec = spec_of(world)
    assert (spec.holder_identity, spec.lease_duration_seconds, spec.lease_transitions) == ("first", DURATION, 1)
    assert spec.acquire_time == acquired
    assert spec.renew_time is not None and acquired is not None and spec.renew_time > acquired

    first.release()
    assert second.leads()
    assert (spec_of(world).holder_identity, spec_of(world).lease_transitions) == ("second", 2)


def test_times_of_a_whole_second_keep_their_fraction() -> None:
    whole = datetime(2026, 1, 1, tzinfo=UTC)
    spec = V1LeaseSpec(holder_identity="first", acquire_time=whole, renew_time=whole)
    world = World(lease=V1Lease(metadata=V1ObjectMeta(name="jwt-issuer", resource_version="1"), spec=spec))

    assert world.replica("first").leads()
    assert spec_of(world).acquire_time == whole.replace(microsecond=1)


def test_a_change_of_leader_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world = World()
    first, second = world.replica("first"), world.replica("second")
    first.leads()
    first.leads()
    second.leads()
    world.now += DURATION
    second.leads()
    first.leads()

    assert caplog.messages == ["first has the lease.", "second has the lease."]


def spec_of(world: World) -> V1LeaseSpec:
    assert world.lease is not None
    assert world.lease.spec is not None
    return world.lease.spec


def test_a_lease_that_a_person_gives_to_another_is_theirs_at_once() -> None:
    world = World()
    first = world.replica("first")
    first.leads()
    spec_of(world).holder_identity = "another"

    assert not first.leads()
    assert not first.holds


def test_what_others_note_on_a_lease_does_not_renew_it() -> None:
    world = World()
    first, second = world.replica("first"), world.replica("second")
    first.leads()
    for passed in range(DURATION):
        world.now = passed
        assert not second.leads()
        world.annotate(f"seen at {passed}")

    world.now = DURATION
    assert second.leads()


def test_a_renewal_by_the_same_holder_is_a_change() -> None:
    world = World()
    first, second = world.replica("first"), world.replica("second")
    first.leads()
    assert not second.leads()
    world.now += DURATION - 1
    assert first.leads()
    assert not second.leads()
    world.now += DURATION - 1
    assert not second.leads()


def test_another_holder_with_the_same_renewal_time_is_a_change() -> None:
    world = World()
    first, second = world.replica("first"), world.replica("second")
    first.leads()
    assert not second.leads()
    world.now += DURATION
    spec_of(world).holder_identity = "third"
    assert not second.leads()
