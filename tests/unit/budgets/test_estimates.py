import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.budget import Usage
from budgets.estimates import LONGEST_MODEL, WEIGHT, Estimates

DBA = {"team": "dba", "user": "alice", "model": "gpt-4o"}
SALES = {"team": "sales", "user": "zoe", "model": "gpt-4o"}


def learnt(*usages: Usage, dimensions: dict[str, str] = DBA) -> Estimates:
    estimates = Estimates(first=1000)
    for usage in usages:
        estimates.learn(dimensions, usage)
    return estimates


@pytest.mark.parametrize(("first", "guess"), [(1000, Usage(250, 750)), (1001, Usage(250, 751)), (0, Usage(0, 0))])
def test_where_nothing_is_known_the_first_guess_holds(first: int, guess: Usage) -> None:
    assert Estimates(first).estimate(DBA) == guess


def test_a_subject_is_expected_to_use_what_it_used() -> None:
    assert learnt(Usage(20, 700)).estimate(DBA) == Usage(20, 700)


def test_a_mean_follows_its_newest_value_by_a_fifth_and_is_rounded_up() -> None:
    estimates = learnt(Usage(10, 100), Usage(20, 101))
    assert WEIGHT == 0.2
    assert estimates.estimate(DBA) == Usage(12, 101)


def test_a_subject_that_is_new_to_a_model_is_expected_to_be_like_the_others() -> None:
    assert learnt(Usage(20, 700)).estimate(SALES) == Usage(20, 700)


def test_a_subject_of_its_own_is_not_moved_by_others() -> None:
    estimates = learnt(Usage(20, 700))
    estimates.learn(SALES, Usage(1, 1))
    assert estimates.estimate(DBA) == Usage(20, 700)


def test_models_are_told_apart() -> None:
    assert learnt(Usage(20, 700)).estimate(DBA | {"model": "o3"}) == Usage(250, 750)


def test_a_call_that_names_no_model_has_an_estimate_too() -> None:
    nameless = {"team": "dba"}
    assert learnt(Usage(2, 3), dimensions=nameless).estimate(nameless) == Usage(2, 3)


@pytest.mark.parametrize(("known", "input_"), [((), 250), ((Usage(20, 700),), 20)])
def test_the_callers_cap_stands_for_the_output(known: tuple[Usage, ...], input_: int) -> None:
    assert learnt(*known).estimate(DBA, 60) == Usage(input_, 60)


@pytest.mark.parametrize("max_tokens", [None, 0, -1, 1_000_001, 2**32])
def test_a_cap_that_is_no_sensible_number_counts_as_none(max_tokens: int | None) -> None:
    assert learnt(Usage(20, 700)).estimate(DBA, max_tokens) == Usage(20, 700)


def test_the_largest_cap_counts() -> None:
    assert learnt(Usage(20, 700)).estimate(DBA, 1_000_000).output == 1_000_000


def test_tokens_of_unknown_kind_are_split_and_none_is_lost() -> None:
    assert learnt(Usage(unsplit=11)).estimate(DBA) == Usage(2, 9)


def test_what_was_not_met_for_longest_is_forgotten_first() -> None:
    estimates = Estimates(first=1000, most=3)
    for team in ("a", "b"):
        estimates.learn({"team": team, "model": team}, Usage(1, 1))
    estimates.estimate({"team": "a", "model": "a"})
    estimates.learn({"team": "a", "model": "c"}, Usage(2, 2))
    assert estimates.estimate({"team": "a", "model": "a"}) == Usage(1, 1)
    assert estimates.estimate({"team": "b", "model": "b"}) == Usage(250, 750)


def test_a_long_model_name_is_kept_in_part() -> None:
    estimates = learnt(Usage(1, 1), dimensions={"model": "x" * 10**6})
    assert estimates.estimate({"model": "x" * LONGEST_MODEL}) == Usage(1, 1)


def test_a_caller_who_taught_small_answers_cannot_hang_up_on_large_ones_for_nothing() -> None:
    estimates = learnt(*[Usage(1, 1)] * 40)
    assert estimates.estimate(DBA) == Usage(1, 1)
    assert estimates.unread(estimates.estimate(DBA)) == Usage(250, 750)


def test_an_answer_that_nobody_read_is_no_longer_than_its_caller_allowed() -> None:
    estimates = learnt(Usage(400, 900))
    assert estimates.unread(estimates.estimate(DBA, 60), 60) == Usage(400, 60)


def test_an_answer_that_nobody_read_is_taken_to_be_like_those_before_it() -> None:
    estimates = learnt(Usage(400, 900))
    assert estimates.unread(estimates.estimate(DBA)) == Usage(400, 900)


tokens = st.integers(0, 2**32 - 1)
usages = st.tuples(tokens, tokens).map(lambda figures: Usage(*figures))


@given(st.lists(usages, min_size=1))
def test_an_estimate_lies_between_the_least_and_the_most_that_was_learnt(values: list[Usage]) -> None:
    estimate = learnt(*values).estimate(DBA)
    assert min(each.input for each in values) <= estimate.input <= max(each.input for each in values)
    assert min(each.output for each in values) <= estimate.output <= max(each.output for each in values)


@given(st.lists(st.tuples(st.dictionaries(st.text(), st.text()), usages)), st.integers(1, 5))
def test_it_never_remembers_more_than_it_may(calls: list[tuple[dict[str, str], Usage]], most: int) -> None:
    estimates = Estimates(first=1000, most=most)
    for dimensions, usage in calls:
        estimates.learn(dimensions, usage)
        assert len(estimates) <= most
