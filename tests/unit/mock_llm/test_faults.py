from collections import Counter

import pytest

from mock_llm import faults
from mock_llm.errors import ApiError
from mock_llm.faults import Fault, Faults, ordered_fault
from mock_llm.ledger.ledger import Account, Caller, Totals

ALICE = Caller("dba", "alice")


def told(text: str) -> tuple[Fault, int | None] | None:
    order = ordered_fault(None, text)
    return order and (order.fault, order.times)


@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_can_be_named_in_the_header_and_in_the_prompt(fault: Fault) -> None:
    order = ordered_fault(f" {fault} ", "hello")
    assert order is not None
    assert (order.fault, order.times) == (fault, None)
    assert told(f"hello fault:{fault}, please") == (fault, None)
    assert told(f"hello fault:{fault}*2") == (fault, 2)


@pytest.mark.parametrize(
    "text",
    ["hello", "reset", "fault: reset", "fault:tolerance", "fault:resets", "default:reset", "fault:reset_all", "Fault:reset"],
)
def test_words_that_name_no_fault_are_words(text: str) -> None:
    assert told(text) is None


def test_of_several_the_first_counts_and_the_header_comes_before_the_prompt() -> None:
    assert told("fault:nothing fault:cut fault:reset") == (Fault.CUT, None)
    order = ordered_fault("empty*3", "fault:reset")
    assert order is not None
    assert (order.fault, order.times) == (Fault.EMPTY, 3)


@pytest.mark.parametrize("value", ["", "nope", "reset*", "reset*x", "reset*-1", "reset,cut", "reset*99999"])
def test_an_unknown_fault_in_the_header_is_refused_with_the_names(value: str) -> None:
    with pytest.raises(ApiError) as caught:
        ordered_fault(value, "hello")
    assert (caught.value.status, caught.value.param) == (400, "x-mock-fault")
    assert all(fault in caught.value.message for fault in Fault)


def outcomes(played: Faults, header: str | None, text: str, caller: Caller = ALICE, calls: int = 3) -> list[Fault | None]:
    return [played.next(ordered_fault(header, text), Account(caller, 0, Totals())) for _ in range(calls)]


def test_without_a_count_every_request_fails() -> None:
    assert outcomes(Faults({}, None), None, "fault:cut") == [Fault.CUT] * 3


def test_with_a_count_the_first_requests_of_one_caller_with_one_message_fail() -> None:
    played = Faults({}, None)
    two = [Fault.RESET, Fault.RESET, None]
    assert outcomes(played, None, "fault:reset*2") == two
    assert outcomes(played, None, "fault:reset*2") == [None] * 3
    assert outcomes(played, None, "fault:reset*2 again") == two
    assert outcomes(played, None, "fault:reset*2", Caller("dba", "bob")) == two
    assert outcomes(played, "reset*2", "one") == two
    assert outcomes(played, "reset*2", "two") == [None] * 3
    assert outcomes(played, None, "fault:cut*0") == [None] * 3


def test_what_is_counted_is_bounded_and_the_request_not_seen_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "MOST_COUNTED", 2)
    played = Faults({}, None)
    for text in ("a", "b", "a", "c"):
        outcomes(played, None, f"fault:cut*1 {text}", calls=1)
    assert len(played._counted) == 2
    assert outcomes(played, None, "fault:cut*1 a", calls=1) == [None]
    assert outcomes(played, None, "fault:cut*1 b", calls=1) == [Fault.CUT]


def by_chance(seed: int | None, calls: int = 2000, caller: Caller = ALICE) -> list[Fault | None]:
    played = Faults({Fault.CUT: 0.2, Fault.RESET: 0.1, Fault.EMPTY: 0.0}, seed)
    return [played.next(None, Account(caller, number, Totals())) for number in range(calls)]


@pytest.mark.parametrize("seed", [None, 7])
def test_faults_by_chance_have_the_shares_that_were_set(seed: int | None) -> None:
    met = Counter(by_chance(seed, 4000))
    assert 640 <= met[Fault.CUT] <= 960
    assert 280 <= met[Fault.RESET] <= 520
    assert set(met) == {None, Fault.CUT, Fault.RESET}


def test_with_a_seed_a_caller_meets_the_same_faults_in_every_run() -> None:
    assert by_chance(7) == by_chance(7)
    assert by_chance(7) != by_chance(8)
    assert by_chance(7) != by_chance(7, caller=Caller("dba", "bob"))
    assert by_chance(None) != by_chance(None)


def test_a_request_that_asks_for_a_fault_meets_none_by_chance() -> None:
    played = Faults({Fault.CUT: 1.0}, None)
    assert outcomes(played, None, "fault:reset*1") == [Fault.RESET, None, None]
    assert outcomes(played, None, "hello", calls=1) == [Fault.CUT]


def test_what_was_counted_can_be_forgotten() -> None:
    played = Faults({}, None)
    assert outcomes(played, None, "fault:reset*1") == [Fault.RESET, None, None]
    played.clear()
    assert outcomes(played, None, "fault:reset*1") == [Fault.RESET, None, None]
