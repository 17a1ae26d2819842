"""Which replica writes: the one that holds a Lease, which it renews, and which another takes when it no longer does.

No clock is compared with another's. A replica counts what has passed since it saw the Lease change, and the holder what has
passed since it asked for its last renewal; the holder's count begins earlier and ends sooner, so never two of them lead.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from kubernetes.client import V1Lease, V1LeaseSpec, V1ObjectMeta

from jwt_issuer.cluster.objects import ConflictError, Objects
from jwt_issuer.stores import StoreAwayError, StoreError

logger = logging.getLogger(__name__)

NAME = "jwt-issuer"
DURATION = 15
"""Seconds without a change after which a Lease is free."""

DEADLINE = 10
"""Seconds after its last renewal at which the holder steps down; the rest is for clocks that run at different speeds."""


class LeaseLeadership:
    """`clock` tells seconds, and is never set back."""

    def __init__(self, leases: Objects[V1Lease], identity: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._leases = leases
        self._identity = identity
        self._clock = clock
        self._asking = threading.Lock()
        self._released = False
        self._renewed = float("-inf")
        self._seen: tuple[str | None, datetime | None] | None = None
        self._seen_at = float("-inf")

    @property
    def holds(self) -> bool:
        """Whether this replica may still write, as it knows without asking; for between the writes of a long row of them."""
        return self._clock() - self._renewed < DEADLINE

    def leads(self) -> bool:
        """Renew the lease or try to get it, and say whether this replica may write; to be called every few seconds.

        Takes as long as two requests may. Raises StoreError where the API cannot be asked; StoreAwayError only once it leads
        no more, or where it did not before.
        """
        with self._asking:
            if self._released:
                return False
            held = self.holds
            try:
                self._renew_or_acquire()
            except StoreAwayError:
                if not self.holds:
                    raise
            holds = self.holds
        if holds != held:
            logger.info("%s %s the lease.", self._identity, "has" if holds else "has lost")
        return holds

    def release(self) -> None:
        """Lead no more, for good, and let another take over at once. Where that cannot be written, it takes over later."""
        with self._asking:
            self._released = True
            self._renewed = float("-inf")
            try:
                self._give_up()
            except StoreError as error:
                logger.warning("The lease is not released, and runs out in %d s: %s", DURATION, error)

    def _renew_or_acquire(self) -> None:
        asked = self._clock()
        found = self._leases.read(NAME)
        if found is not None and self._is_anothers(found):
            self._renewed = float("-inf")
            return
        try:
            if found is None:
                self._leases.create(NAME, V1Lease(metadata=V1ObjectMeta(name=NAME), spec=self._claim(V1LeaseSpec())))
            else:
                found.spec = self._claim(found.spec or V1LeaseSpec())
                self._leases.replace(NAME, found)
        except ConflictError:
            # Another has been faster; the next call sees who.
            return
        self._renewed = asked

    def _is_anothers(self, found: V1Lease) -> bool:
        spec = found.spec or V1LeaseSpec()
        # By what the holder says, for somebody else may write annotations and labels.
        said = (spec.holder_identity, spec.renew_time)
        if said != self._seen:
            self._seen, self._seen_at = said, self._clock()
        if not spec.holder_identity or spec.holder_identity == self._identity:
            return False
        return self._clock() - self._seen_at < DURATION

    def _claim(self, spec: V1LeaseSpec) -> V1LeaseSpec:
        now = _now()
        renewal = spec.holder_identity == self._identity
        return V1LeaseSpec(
            holder_identity=self._identity,
            lease_duration_seconds=DURATION,
            acquire_time=_with_fraction(spec.acquire_time) if renewal and spec.acquire_time else now,
            renew_time=now,
            lease_transitions=(spec.lease_transitions or 0) + (0 if renewal else 1),
        )

    def _give_up(self) -> None:
        found = self._leases.read(NAME)
        if found is None or found.spec is None or found.spec.holder_identity != self._identity:
            return
        found.spec = V1LeaseSpec(
            lease_duration_seconds=DURATION, renew_time=_now(), lease_transitions=found.spec.lease_transitions
        )
        try:
            self._leases.replace(NAME, found)
        except ConflictError:
            # Another has it already, or the Lease is gone.
            return


def _now() -> datetime:
    return _with_fraction(datetime.now(UTC))


def _with_fraction(moment: datetime) -> datetime:
    """The API refuses a Lease's time without the microseconds that Python leaves out of a whole second."""
    return moment.replace(microsecond=moment.microsecond or 1)
