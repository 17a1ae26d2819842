import pytest

from runner.errors import StartError
from runner.health import http_ok
from runner.process import Ending, Program


@pytest.mark.parametrize(
    ("returncode", "said"),
    [(0, "ended with exit code 0"), (3, "ended with exit code 3"), (-9, "was ended by SIGKILL")],
)
def test_an_ending_says_how(returncode: int, said: str) -> None:
    assert str(Ending(returncode)) == said


def test_an_ending_by_a_signal_without_a_name_says_its_number() -> None:
    assert str(Ending(-60)) == "was ended by signal 60"


def test_a_program_shown_does_not_show_its_environment() -> None:
    program = Program("agent", ("agent",), {"LLM_JWT": "top-secret"}, http_ok("http://127.0.0.1:1"))
    assert "top-secret" not in repr(program)


def test_an_error_ends_with_the_last_words() -> None:
    error = StartError("budgets ended with exit code 3", ["no disk", "bye"])
    assert str(error) == "budgets ended with exit code 3. Its last words:\n  no disk\n  bye"


def test_an_error_says_where_there_were_no_last_words() -> None:
    assert str(StartError("budgets ended with exit code 3")) == "budgets ended with exit code 3. It wrote nothing."
