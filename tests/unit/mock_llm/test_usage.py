import pytest

from mock_llm.config import Settings
from mock_llm.errors import ApiError
from mock_llm.latency import Latency
from mock_llm.models import Served
from mock_llm.usage import MOST_TOKENS, Asked, TokenRange, Usage, asked_usage

from .turns import a_turn


def test_each_header_fixes_one_figure() -> None:
    assert asked_usage({b"x-mock-prompt-tokens": b"56"}) == Asked(prompt_tokens=56)
    assert asked_usage({b"x-mock-completion-tokens": b"0"}) == Asked(completion_tokens=0)
    assert asked_usage({b"x-mock-cached-tokens": b"10000000"}) == Asked(cached_tokens=MOST_TOKENS)
    assert asked_usage({b"accept": b"*/*"}) == Asked()


@pytest.mark.parametrize("name", ["prompt", "completion", "cached"])
@pytest.mark.parametrize("value", [b"", b"-1", b"1.5", b"many", b"10000001", b"9" * 5000, b"+1", b"\xb2", b" 1"])
def test_a_wrong_value_is_refused_by_the_headers_name(name: str, value: bytes) -> None:
    header = f"x-mock-{name}-tokens"
    with pytest.raises(ApiError) as caught:
        asked_usage({header.encode(): value})
    assert (caught.value.status, caught.value.param) == (400, header)
    assert header in caught.value.message


def test_a_header_comes_before_the_model_and_the_model_before_what_was_counted() -> None:
    turn = a_turn()
    assert turn.usage(9, 400) == Usage(9, 400, 0)
    turn = turn._replace(served=Served(TokenRange(1, 1), Latency(), prompt_tokens=56, cached_tokens=7))
    assert turn.usage(9, 400) == Usage(56, 400, 7)
    assert turn._replace(asked=Asked(prompt_tokens=3, cached_tokens=2)).usage(9, 400) == Usage(3, 400, 2)


def test_no_more_is_cached_than_there_was() -> None:
    assert a_turn(asked=Asked(prompt_tokens=3, cached_tokens=5)).usage(9, 400) == Usage(3, 400, 3)


def test_the_default_range_is_the_essays() -> None:
    assert Settings().tokens == TokenRange(400, 1500)
