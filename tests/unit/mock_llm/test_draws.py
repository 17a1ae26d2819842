from hypothesis import given
from hypothesis import strategies as st

from mock_llm.draws import Draw, Draws
from mock_llm.essays import ESSAYS
from mock_llm.ledger import Caller, Ledger

CALLERS = [Caller("dba", "alice"), Caller("dba", "bob"), Caller("support", "carol")]


def draws_of(seed: int | None, calls: list[Caller]) -> dict[Caller, list[Draw]]:
    ledger, draws = Ledger(), Draws(seed)
    answers: dict[Caller, list[Draw]] = {caller: [] for caller in CALLERS}
    for caller in calls:
        answers[caller].append(draws.next(ledger.account(caller)))
    return answers


@given(calls=st.permutations([caller for caller in CALLERS for _ in range(4)]))
def test_with_a_seed_a_callers_nth_answer_is_the_same_however_calls_interleave(calls: list[Caller]) -> None:
    assert draws_of(7, calls) == draws_of(7, sorted(calls))


def test_another_seed_another_run() -> None:
    assert draws_of(7, CALLERS * 3) != draws_of(8, CALLERS * 3)


def test_callers_do_not_echo_one_another() -> None:
    answers = draws_of(7, CALLERS * 8)
    assert len({tuple(draw.completion_tokens for draw in drawn) for drawn in answers.values()}) == len(CALLERS)


def test_names_that_run_together_stay_apart() -> None:
    ledger, draws = Ledger(), Draws(7)
    assert draws.next(ledger.account(Caller("a', 'b", "c"))) != draws.next(ledger.account(Caller("a", "b', 'c")))


def test_without_a_seed_two_runs_differ() -> None:
    assert draws_of(None, CALLERS * 8) != draws_of(None, CALLERS * 8)


def test_answers_keep_to_the_range_use_every_essay_and_have_ids_of_their_own() -> None:
    for seed in (None, 7):
        drawn = draws_of(seed, CALLERS[:1] * 3000)[CALLERS[0]]
        tokens = [draw.completion_tokens for draw in drawn]
        assert 400 <= min(tokens) < 410
        assert 1490 < max(tokens) <= 1500
        assert {draw.essay for draw in drawn} == set(range(len(ESSAYS)))
        assert len({draw.answer_id for draw in drawn}) == 3000


def test_the_seeded_draw_is_pinned_so_that_no_python_version_moves_it() -> None:
    draw = draws_of(7, CALLERS[:1])[CALLERS[0]][0]
    assert draw == Draw(essay=5, completion_tokens=1452, answer_id="chatcmpl-dac4c0fcf372f0fc0de800f2")
