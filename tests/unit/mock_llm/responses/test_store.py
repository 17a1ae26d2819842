from mock_llm.ledger.ledger import Caller
from mock_llm.responses.input_items import InputItem
from mock_llm.responses.items import History
from mock_llm.responses.store import Kept, Store

ALICE = Caller("dba", "alice")
BOB = Caller("dba", "bob")


def kept(size: int = 10) -> Kept:
    return Kept(b"x" * size, (), History())


def test_a_caller_finds_only_its_own() -> None:
    store = Store()
    store.keep(ALICE, "a", kept())
    assert store.find(ALICE, "a") == kept()
    assert store.find(BOB, "a") is None
    assert store.find(ALICE, "b") is None
    assert not store.remove(BOB, "a")
    assert store.remove(ALICE, "a")
    assert store.find(ALICE, "a") is None
    assert not store.remove(ALICE, "a")


def test_of_more_responses_the_oldest_are_dropped() -> None:
    store = Store(most_responses=2)
    for name in ("a", "b", "c"):
        store.keep(ALICE, name, kept())
    assert [store.find(ALICE, name) is not None for name in ("a", "b", "c")] == [False, True, True]


def test_of_more_bytes_the_oldest_are_dropped() -> None:
    store = Store(most_bytes=100)
    store.keep(ALICE, "a", kept(50))
    store.keep(ALICE, "b", kept(50))
    assert store.find(ALICE, "a") is not None
    store.keep(ALICE, "c", kept(51))
    assert [store.find(ALICE, name) is not None for name in ("a", "b", "c")] == [False, False, True]
    store.keep(ALICE, "d", kept(101))
    assert store.find(ALICE, "d") is None


def test_the_bytes_of_what_is_gone_are_free_again() -> None:
    store = Store(most_bytes=100)
    for name in ("a", "a", "a"):
        store.keep(ALICE, name, kept(60))
    store.remove(ALICE, "a")
    store.keep(ALICE, "b", kept(40))
    store.keep(ALICE, "c", kept(60))
    assert store.find(ALICE, "b") is not None
    store.clear()
    assert store.find(ALICE, "b") is None
    store.keep(ALICE, "d", kept(100))
    assert store.find(ALICE, "d") is not None


def test_the_size_counts_all_that_a_caller_sends() -> None:
    assert Kept(b"12345", (InputItem("a", b"123"), InputItem("b", b"12")), History(9, "1234")).size() == 14
