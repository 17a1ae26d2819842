import json
from collections.abc import Iterator

import pytest

from mock_llm.chat.room import AROUND_CALL, AROUND_PIECE, MOST_BYTES, Room
from mock_llm.chat.tool_calls import ToolCall
from mock_llm.errors import ApiError

EMOJI = "\N{GRINNING FACE}"


def fits(text: str, times: int = 1, *, streams: bool = False) -> bool:
    try:
        Room(times, streams=streams).take(text)
    except ApiError as error:
        assert (error.status, error.param, error.code) == (400, "messages", "invalid_value")
        assert str(MOST_BYTES) in error.message
        return False
    return True


def test_a_text_counts_as_it_is_encoded() -> None:
    assert fits("x" * (MOST_BYTES - AROUND_CALL - 2))
    assert not fits("x" * (MOST_BYTES - AROUND_CALL - 1))
    # Twelve bytes each, as two halves of a surrogate pair.
    assert fits(EMOJI * (MOST_BYTES // 12 - AROUND_CALL))
    assert not fits(EMOJI * (MOST_BYTES // 12))


def test_it_counts_for_each_choice_and_in_a_stream_with_what_stands_around_each_piece() -> None:
    assert fits("x" * 1_000_000, 16)
    assert not fits("x" * 1_000_000, 17)
    Room(1, 16, streams=False).take("x" * 1_000_000)
    with pytest.raises(ApiError):
        Room(1, 17, streams=False).take("x" * 1_000_000)
    words = "x " * (8 * MOST_BYTES // AROUND_PIECE)
    assert fits(words)
    assert not fits(words, streams=True)


def test_no_call_is_made_once_there_is_no_room_for_the_one_before_it() -> None:
    made = []

    def calls() -> list[ToolCall]:
        return [ToolCall("f", json.dumps({"message": EMOJI * 200_000}, ensure_ascii=False))] * 60

    def one_by_one() -> Iterator[ToolCall]:
        for number, call in enumerate(calls()):
            made.append(number)
            yield call

    with pytest.raises(ApiError) as caught:
        Room(1, streams=False).holding(one_by_one())
    assert caught.value.param == "tools"
    assert len(made) == 7
    assert len(Room(1, streams=False).holding(calls()[:6])) == 6
    with pytest.raises(ApiError):
        Room(6, streams=True).holding(calls()[:1])
