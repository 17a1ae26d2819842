from mock_llm.ledger.journal import Entry, Journal
from mock_llm.usage import Usage


def an_entry(number: int, user: str = "alice") -> Entry:
    return Entry(1_700_000_000 + number, "dba", user, f"r{number}", "/v1/embeddings", "m", "answered", "", Usage(number, 0))


def test_the_newest_entry_comes_first_and_filters_have_all_to_hold() -> None:
    journal = Journal(10)
    for number in range(4):
        journal.add(an_entry(number, user="alice" if number % 2 else "bob"))
    assert [entry.request_id for entry in journal.newest_first({})] == ["r3", "r2", "r1", "r0"]
    assert [entry.request_id for entry in journal.newest_first({"user": "bob"})] == ["r2", "r0"]
    assert [entry.request_id for entry in journal.newest_first({"user": "bob", "request_id": "r0"})] == ["r0"]
    assert list(journal.newest_first({"user": "bob", "team": "x"})) == []


def test_a_full_journal_drops_the_oldest_and_says_how_many() -> None:
    journal = Journal(2)
    assert journal.dropped == 0
    for number in range(5):
        journal.add(an_entry(number))
    assert [entry.request_id for entry in journal.newest_first({})] == ["r4", "r3"]
    assert (len(journal), journal.dropped) == (2, 3)
    journal.clear()
    assert (len(journal), journal.dropped) == (0, 0)


def test_a_journal_of_none_keeps_none() -> None:
    journal = Journal(0)
    journal.add(an_entry(1))
    assert (list(journal.newest_first({})), journal.dropped) == ([], 1)


def test_a_row_says_null_for_what_there_is_none_of() -> None:
    assert an_entry(0)._replace(model="", outcome="refused", code="invalid_type", usage=None).row() == {
        "time": "2023-11-14T22:13:20.000+00:00",
        "team": "dba",
        "user": "alice",
        "request_id": "r0",
        "endpoint": "/v1/embeddings",
        "model": None,
        "outcome": "refused",
        "code": "invalid_type",
        "prompt_tokens": None,
        "completion_tokens": None,
        "cached_tokens": None,
    }
    row = an_entry(3).row()
    assert (row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"], row["code"]) == (3, 0, 0, None)
