import json
from typing import Any

import pytest

from mock_llm.answers import DONE, Answer
from mock_llm.essays import ESSAYS
from mock_llm.replies import ESSAY_REPLIES, WORDS_PER_CHUNK, pieces

MODEL = 'm"\u2028\N{GRINNING FACE}'


def an_answer(essay: int = 0) -> Answer:
    return Answer("chatcmpl-1", 1_700_000_000, MODEL, ESSAY_REPLIES[essay], prompt_tokens=10, completion_tokens=400)


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
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": ESSAYS[3], "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 400, "total_tokens": 410},
    }


@pytest.mark.parametrize("include_usage", [True, False])
def test_a_stream_opens_with_the_role_carries_the_essay_and_ends_with_stop(include_usage: bool) -> None:
    chunks = [data_of(event) for event in an_answer(4).events(include_usage)]
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
    assert data_of(an_answer().usage_event()) == {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": MODEL,
        "choices": [],
        "usage": {"prompt_tokens": 10, "completion_tokens": 400, "total_tokens": 410},
    }


def test_no_event_can_be_cut_by_a_reader_that_splits_at_unicode_line_ends() -> None:
    for event in [*an_answer().events(True), an_answer().usage_event(), DONE]:
        assert len(event.decode().splitlines()) == 2


def test_a_document_may_lack_its_usage_or_its_choices() -> None:
    whole = json.loads(an_answer().document())
    assert json.loads(an_answer().document_without_usage()) == {key: whole[key] for key in whole if key != "usage"}
    assert json.loads(an_answer().empty_document()) == whole | {"choices": []}
