from hypothesis import given
from hypothesis import strategies as st

from mock_llm.draws import Choice, Draw, Draws
from mock_llm.essays import ESSAYS
from mock_llm.ledger.ledger import Caller, Ledger
from mock_llm.usage import TokenRange

CALLERS = [Caller("dba", "alice"), Caller("dba", "bob"), Caller("support", "carol")]


RANGE = TokenRange(400, 1500)
PINNED = ("dac4c0fcf372f0fc0de800f2", (Choice(essay=5, tokens=1452),))
Drawn = tuple[str, tuple[Choice, ...]]


def drawn(draw: Draw) -> Drawn:
    return draw.answer_id, draw.choices


def draws_of(seed: int | None, calls: list[Caller], tokens: TokenRange = RANGE) -> dict[Caller, list[Drawn]]:
    ledger, draws = Ledger(), Draws(seed)
    answers: dict[Caller, list[Drawn]] = {caller: [] for caller in CALLERS}
    for caller in calls:
        answers[caller].append(drawn(draws.next(ledger.account(caller), tokens)))
    return answers


@given(calls=st.permutations([caller for caller in CALLERS for _ in range(4)]))
def test_with_a_seed_a_callers_nth_answer_is_the_same_however_calls_interleave(calls: list[Caller]) -> None:
    assert draws_of(7, calls) == draws_of(7, sorted(calls))


def test_another_seed_another_run() -> None:
    assert draws_of(7, CALLERS * 3) != draws_of(8, CALLERS * 3)


def test_callers_do_not_echo_one_another() -> None:
    answers = draws_of(7, CALLERS * 8)
    assert len({tuple(choices for _, choices in drawn) for drawn in answers.values()}) == len(CALLERS)


def test_names_that_run_together_stay_apart() -> None:
    ledger, draws = Ledger(), Draws(7)
    first = draws.next(ledger.account(Caller("a', 'b", "c")), RANGE)
    assert drawn(first) != drawn(draws.next(ledger.account(Caller("a", "b', 'c")), RANGE))


def test_without_a_seed_two_runs_differ() -> None:
    assert draws_of(None, CALLERS * 8) != draws_of(None, CALLERS * 8)


def test_answers_keep_to_the_range_use_every_essay_and_have_ids_of_their_own() -> None:
    for seed in (None, 7):
        answers = draws_of(seed, CALLERS[:1] * 3000)[CALLERS[0]]
        tokens = [choice.tokens for _, (choice,) in answers]
        assert 400 <= min(tokens) < 410
        assert 1490 < max(tokens) <= 1500
        assert {choice.essay for _, (choice,) in answers} == set(range(len(ESSAYS)))
        assert len({answer_id for answer_id, _ in answers}) == 3000


def test_a_range_of_one_number_is_that_number() -> None:
    answers = draws_of(7, CALLERS, TokenRange(700, 700))
    assert {choice.tokens for ((_, (choice,)),) in answers.values()} == {700}


def test_each_choice_is_a_draw_of_its_own() -> None:
    choices = Draws(7).next(Ledger().account(CALLERS[0]), RANGE, choices=50).choices
    assert len(choices) == 50
    assert len(set(choices)) > 40


@given(calls=st.lists(st.sampled_from(CALLERS), min_size=2, max_size=9), seed=st.none() | st.integers())
def test_a_fixed_draw_is_the_same_whoever_calls_and_however_often(calls: list[Caller], seed: int | None) -> None:
    ledger, draws = Ledger(), Draws(seed)
    answers = [draws.next(ledger.account(caller), RANGE, choices=2, fixed=b"this") for caller in calls]
    assert len({answer.choices for answer in answers}) == 1
    assert len({answer.answer_id for answer in answers}) == len(calls)
    assert draws.next(ledger.account(CALLERS[0]), RANGE, choices=2, fixed=b"that").choices != answers[0].choices


def test_the_seeded_draw_is_pinned_so_that_no_python_version_moves_it() -> None:
    assert draws_of(7, CALLERS[:1])[CALLERS[0]] == [PINNED]
