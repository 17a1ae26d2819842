"""What Prometheus reads of the issuer. Users are no labels: they would be too many."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from jwt_issuer.keys.ring import State
from jwt_issuer.upkeep import Upkeep


class _Standing(Collector):
    """Read when Prometheus asks."""

    def __init__(self, upkeep: Upkeep) -> None:
        self._upkeep = upkeep

    def collect(self) -> Iterator[Metric]:
        upkeep = self._upkeep
        now = upkeep.clock()
        ring = upkeep.keychain.ring
        keys = GaugeMetricFamily("jwt_issuer_keys", "Keys in the key set.", labels=["state"])
        states = [place.state for place in ring.places(now)]
        for state in State:
            keys.add_metric([state], states.count(state))
        yield keys
        yield GaugeMetricFamily(
            "jwt_issuer_key_age_seconds",
            "How long the current key has signed.",
            value=now - (ring.current(now).signs_from or 0),
        )
        yield GaugeMetricFamily("jwt_issuer_leads", "Whether this replica keeps the tokens up.", value=upkeep.leadership.holds)
        yield CounterMetricFamily("jwt_issuer_upkeep_failures", "Looks at keys and tokens that failed.", value=upkeep.failures)
        expiries = tuple(upkeep.expiries.values())
        yield GaugeMetricFamily("jwt_issuer_tokens", "Tokens that are kept fresh.", value=len(expiries))
        if expiries:
            yield GaugeMetricFamily(
                "jwt_issuer_earliest_expiry_timestamp_seconds", "When the first of them expires.", value=min(expiries)
            )


class Metrics:
    def __init__(self, upkeep: Upkeep) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Standing(upkeep))
        self.token_requests = Counter(
            "jwt_issuer_token_requests", "Answers of POST /token.", ["outcome"], registry=self.registry
        )
