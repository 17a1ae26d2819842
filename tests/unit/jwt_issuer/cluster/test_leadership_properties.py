"""Whatever happens to requests on their way, and in whatever order replicas ask: never two of them may write."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes.client import V1Lease
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import ProtocolError

from jwt_issuer.cluster.leadership import LeaseLeadership
from jwt_issuer.stores import StoreAwayError
from tests.unit.jwt_issuer.cluster.leases import World

SPEEDS = st.sampled_from([0.9, 1.0, 1.1])
SECONDS = st.sampled_from([0.0, 0.5, 3.0, 5.0, 11.0, 16.0])
FATES = st.sampled_from(["arrives", "arrives", "arrives", "lost", "unanswered", "late"])


@dataclass
class Play:
    data: st.DataObject
    world: World
    replicas: list[LeaseLeadership] = field(default_factory=list)
    busy: set[int] = field(default_factory=set)
    late: list[Callable[[], V1Lease]] = field(default_factory=list)
    born: int = 0

    def pass_time(self) -> None:
        self.world.now += self.data.draw(SECONDS)
        assert sum(replica.holds for replica in self.replicas) <= 1

    def act(self) -> None:
        """One replica asks, and while its request is under way others do."""
        free = [index for index in range(len(self.replicas)) if index not in self.busy]
        if not free:
            return
        index = self.data.draw(st.sampled_from(free))
        self.busy.add(index)
        try:
            if self.data.draw(st.integers(0, 14)) == 14:
                self.replicas[index].release()
                self.replicas[index] = self.newcomer()
            else:
                self.replicas[index].leads()
        except StoreAwayError:
            assert not self.replicas[index].holds
        finally:
            self.busy.discard(index)
        self.pass_time()

    def newcomer(self) -> LeaseLeadership:
        ahead = self.data.draw(st.sampled_from([0.0, 1e6]))
        self.born += 1
        return self.world.replica(f"replica-{self.born}", ahead, self.data.draw(SPEEDS))

    def carry(self, commit: Callable[[], V1Lease]) -> V1Lease:
        self.interlude()
        fate = self.data.draw(FATES)
        if fate == "lost":
            raise ProtocolError
        if fate == "late":
            self.late.append(commit)
            raise ProtocolError
        made = commit()
        self.interlude()
        if fate == "unanswered":
            raise ProtocolError
        return made

    def interlude(self) -> None:
        self.pass_time()
        arrives_now = self.data.draw(st.booleans())
        if self.late and arrives_now:
            try:
                self.late.pop()()
            except ApiException:
                # It came too late: somebody else was first, and nobody is left to hear of it.
                return
        if len(self.busy) < 2 and self.data.draw(st.booleans()):
            self.act()


@settings(max_examples=70, deadline=None)
@given(st.data())
def test_never_two_lead(data: st.DataObject) -> None:
    world = World()
    play = Play(data, world)
    play.replicas = [play.newcomer() for _ in range(3)]
    world.carry = play.carry
    for _ in range(12):
        play.act()


@settings(max_examples=35, deadline=None)
@given(st.data())
def test_once_requests_arrive_again_somebody_leads(data: st.DataObject) -> None:
    world = World()
    play = Play(data, world)
    play.replicas = [play.newcomer() for _ in range(2)]
    world.carry = play.carry
    for _ in range(6):
        play.act()
    world.carry = World.carry

    led = []
    for _ in range(20):
        world.now += 2
        led.append([replica.leads() for replica in play.replicas])
    assert led[-1].count(True) == 1
