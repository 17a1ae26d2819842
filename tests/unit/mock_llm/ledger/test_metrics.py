from prometheus_client.parser import text_string_to_metric_families

from mock_llm.ledger import metrics
from mock_llm.ledger.journal import Entry
from mock_llm.ledger.ledger import Ledger
from mock_llm.usage import Usage


def test_a_scrape_says_what_the_ledger_says_and_no_callers_name() -> None:
    ledger = Ledger(entries=1)
    for outcome, usage in (("answered", Usage(10, 400, 3)), ("answered", Usage(1, 2)), ("gone", None)):
        ledger.enter(Entry(1.0, "dba", "alice", "r", "/v1/chat/completions", "m", outcome, "", usage))
    body, content_type = metrics.render(ledger)
    assert content_type.startswith("text/plain")
    assert b"alice" not in body
    assert b"dba" not in body
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }
    assert samples == {
        ("mock_llm_requests_total", "/v1/chat/completions", "answered", "m"): 2,
        ("mock_llm_requests_total", "/v1/chat/completions", "gone", "m"): 1,
        ("mock_llm_tokens_total", "m", "prompt"): 11,
        ("mock_llm_tokens_total", "completion", "m"): 402,
        ("mock_llm_tokens_total", "cached", "m"): 3,
        ("mock_llm_journal_entries",): 1,
        ("mock_llm_journal_dropped_total",): 2,
    }
