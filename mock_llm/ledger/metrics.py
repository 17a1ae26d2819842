"""What Prometheus reads, taken from the ledger at each scrape. Labels are models, never teams or users."""

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from mock_llm.ledger.ledger import Ledger

Family = CounterMetricFamily | GaugeMetricFamily


def render(ledger: Ledger) -> tuple[bytes, str]:
    """The body and the content type of the answer to a scrape."""
    registry = CollectorRegistry()
    registry.register(_Standing(ledger))
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Standing(Collector):
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[Family]:
        requests = CounterMetricFamily(
            "mock_llm_requests", "Requests that have ended, by what became of them.", labels=("endpoint", "model", "outcome")
        )
        for labels, count in self._ledger.outcomes.items():
            requests.add_metric(labels, count)
        tokens = CounterMetricFamily(
            "mock_llm_tokens",
            "Tokens that callers were told of; the cached are part of the prompt's.",
            labels=("model", "kind"),
        )
        for model, totals in self._ledger.models.items():
            tokens.add_metric((model, "prompt"), totals.prompt_tokens)
            tokens.add_metric((model, "completion"), totals.completion_tokens)
            tokens.add_metric((model, "cached"), totals.cached_tokens)
        yield requests
        yield tokens
        yield GaugeMetricFamily("mock_llm_journal_entries", "Calls that the journal holds.", len(self._ledger.journal))
        yield CounterMetricFamily("mock_llm_journal_dropped", "Calls that it has dropped.", self._ledger.journal.dropped)
