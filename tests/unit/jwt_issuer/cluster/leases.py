"""A Lease in memory for replicas with clocks of their own; what happens to a request on its way is for the test to say."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

from kubernetes.client import V1Lease
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import ProtocolError

from jwt_issuer.cluster.leadership import LeaseLeadership
from jwt_issuer.cluster.objects import Objects


def _arrives(commit: Callable[[], V1Lease]) -> V1Lease:
    return commit()


@dataclass
class World:
    """`now` is the true time in seconds. `carry` does what comes between a request and its answer, and may raise."""

    now: float = 0
    lease: V1Lease | None = None
    carry: Callable[[Callable[[], V1Lease]], V1Lease] = _arrives
    _versions: int = field(default=0, init=False)

    def replica(self, identity: str, ahead: float = 0, speed: float = 1) -> LeaseLeadership:
        """Its clock is so many seconds ahead, and runs at that speed."""
        objects = Objects(
            "leases",
            "ns",
            lambda name, namespace, **_: self.carry(self._read),
            lambda namespace, body, **_: self.carry(lambda: self._create(body)),
            lambda name, namespace, body, **_: self.carry(lambda: self._replace(body)),
        )
        return LeaseLeadership(objects, identity, clock=lambda: ahead + speed * self.now)

    def holder(self) -> str | None:
        return self.lease.spec.holder_identity if self.lease and self.lease.spec else None

    def annotate(self, note: str) -> None:
        """As somebody may who has no part in it."""
        noted = self._read()
        assert noted.metadata
        noted.metadata.annotations = {"note": note}
        self._store(noted)

    def _read(self) -> V1Lease:
        if self.lease is None:
            raise ApiException(status=404)
        return copy.deepcopy(self.lease)

    def _create(self, body: V1Lease) -> V1Lease:
        if self.lease is not None:
            raise ApiException(status=409)
        return self._store(body)

    def _replace(self, body: V1Lease) -> V1Lease:
        if self.lease is None:
            raise ApiException(status=404)
        assert self.lease.metadata and body.metadata
        if self.lease.metadata.resource_version != body.metadata.resource_version:
            raise ApiException(status=409)
        return self._store(body)

    def _store(self, body: V1Lease) -> V1Lease:
        self._versions += 1
        stored = copy.deepcopy(body)
        assert stored.metadata
        stored.metadata.resource_version = str(self._versions)
        self.lease = stored
        return self._read()


def lost(commit: Callable[[], V1Lease]) -> V1Lease:
    """The request never arrives."""
    raise ProtocolError("the connection is gone")


def unanswered(commit: Callable[[], V1Lease]) -> V1Lease:
    """It arrives, and whoever asked never hears of it."""
    commit()
    raise ProtocolError("the connection is gone")
