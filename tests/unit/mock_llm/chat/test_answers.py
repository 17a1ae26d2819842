import json
from typing import Any

import pytest

from mock_llm.chat.answers import Answer
from mock_llm.chat.pieces import WORDS_PER_CHUNK, pieces
from mock_llm.chat.replies import ESSAY_REPLIES
from mock_llm.delivery import Stream
from mock_llm.essays import ESSAYS
from mock_llm.usage import Usage
from tests.unit.mock_llm.told import chat_usage

MODEL = 'm"\u2028\N{GRINNING FACE}'


def an_answer(*essays: int, cached: int = 0, tells_usage: bool = True) -> Answer:
    replies = tuple(ESSAY_REPLIES[ESSAYS[essay]] for essay in essays or (0,))
    return Answer("1", 1_700_000_000, MODEL, replies, Usage(10, 400, cached), tells_usage)


def events_of(stream: Stream) -> list[bytes]:
    return [*stream.opening, *stream.pieces, *stream.closing]


def data_of(event: bytes) -> Any:
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    assert event.count(b"\n") == 2
    return json.loads(event.removeprefix(b"data: "))


def test_there_are_ten_essays_of_a_readable_length() -> None:
    assert len(set(ESSAYS)) == 10
    assert all(120 <= len(essay.split()) <= 200 for essay in ESSAYS)


@pytest.mark.parametrize("essay", ESSAYS)
def test_the_pieces_joined_are_the_essay(essay: str) -> None:
    assert "".join(pieces(essay)) == essay
    assert max(len(piece.split()) for piece in pieces(essay)) == WORDS_PER_CHUNK


def test_the_document_is_a_chat_completion() -> None:
    assert json.loads(an_answer(3).document()) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_mock",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": ESSAYS[3], "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": chat_usage(10, 400),
    }


@pytest.mark.parametrize("include_usage", [True, False])
def test_a_stream_opens_with_the_role_carries_the_essay_and_ends_with_stop(include_usage: bool) -> None:
    chunks = [data_of(event) for event in events_of(an_answer(4, tells_usage=include_usage).stream())]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": "", "refusal": None}
    assert "".join(delta["content"] for delta in deltas[:-1]) == ESSAYS[4]
    assert deltas[-1] == {}
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + ["stop"]
    assert {(c["id"], c["object"], c["created"], c["model"]) for c in chunks} == {
        ("chatcmpl-1", "chat.completion.chunk", 1_700_000_000, MODEL)
    }
    assert all(chunk.get("usage", "absent") == (None if include_usage else "absent") for chunk in chunks)


def test_the_usage_event_has_usage_and_no_choices() -> None:
    assert data_of(an_answer().stream().usage or b"") == {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_mock",
        "choices": [],
        "usage": chat_usage(10, 400),
    }


def test_no_event_can_be_cut_by_a_reader_that_splits_at_unicode_line_ends() -> None:
    stream = an_answer(0, 1).stream()
    for event in [*events_of(stream), stream.usage or b"", stream.end]:
        assert len(event.decode().splitlines()) == 2


def test_a_document_may_lack_its_usage_or_its_choices() -> None:
    whole = json.loads(an_answer().document())
    assert json.loads(an_answer().document_without_usage()) == {key: whole[key] for key in whole if key != "usage"}
    assert json.loads(an_answer().empty_document()) == whole | {"choices": [], "usage": chat_usage(10, 0)}


def test_what_was_cached_is_told_in_either_form() -> None:
    assert json.loads(an_answer(cached=7).document())["usage"] == chat_usage(10, 400, 7)
    assert data_of(an_answer(cached=7).stream().usage or b"")["usage"] == chat_usage(10, 400, 7)


def test_several_choices_are_numbered_and_streamed_in_turn() -> None:
    answer = an_answer(0, 6, 9)
    choices = json.loads(answer.document())["choices"]
    assert [(choice["index"], choice["message"]["content"]) for choice in choices] == [
        (index, ESSAYS[essay]) for index, essay in enumerate((0, 6, 9))
    ]
    said = ["", "", ""]
    chunks = [data_of(event)["choices"][0] for event in events_of(answer.stream())]
    for chunk in chunks:
        said[chunk["index"]] += chunk["delta"].get("content", "")
    assert said == [ESSAYS[0], ESSAYS[6], ESSAYS[9]]
    assert [chunk["index"] for chunk in chunks[:9]] == [0, 1, 2] * 3
    assert [(chunk["index"], chunk["finish_reason"]) for chunk in chunks[-3:]] == [(0, "stop"), (1, "stop"), (2, "stop")]


def test_a_stream_can_lack_its_usage_or_all_but_its_usage() -> None:
    without = an_answer().stream_without_usage()
    assert without.usage is None
    assert not any("usage" in data_of(event) for event in events_of(without))
    empty = an_answer().empty_stream()
    assert events_of(empty) == []
    told = data_of(empty.usage or b"")
    assert (told["choices"], told["usage"]["completion_tokens"], empty.end) == ([], 0, b"data: [DONE]\n\n")
    assert an_answer(tells_usage=False).empty_stream().usage is None
