import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_llm.chat.request import ChatRequest
from mock_llm.chat.sayings import Said, say
from mock_llm.chat.tool_calls import ToolCall
from mock_llm.draws import Choice
from mock_llm.essays import ESSAYS
from mock_llm.usage import Asked, TokenRange
from tests.unit.mock_llm.turns import a_turn

FIXED = TokenRange(50, 50)
ESSAY = ESSAYS[2]


def asking(
    calls: tuple[ToolCall, ...] = (),
    max_tokens: int | None = None,
    introduction: str = "",
    stop: tuple[str, ...] = (),
    choices: int = 1,
) -> ChatRequest:
    return ChatRequest("m", 1, max_tokens=max_tokens, calls=calls, introduction=introduction, choices=choices, stop=stop)


def only(said: tuple[Said, ...]) -> Said:
    (one,) = said
    return one


@pytest.mark.parametrize("limit", [None, 400, 401, 10_000])
def test_an_essay_that_nobody_cuts_is_whole(limit: int | None) -> None:
    assert only(say(asking(max_tokens=limit), a_turn())) == Said(ESSAY, (), "stop", 400)


@given(limit=st.integers(min_value=1, max_value=399), introduction=st.sampled_from(["", "a b says: c d."]))
def test_a_text_over_the_limit_is_cut_in_proportion(limit: int, introduction: str) -> None:
    said = only(say(asking(max_tokens=limit, introduction=introduction), a_turn()))
    whole = f"{introduction}\n\n{ESSAY}" if introduction else ESSAY
    assert whole.startswith(said.text)
    assert len(said.text.split()) == max(1, len(whole.split()) * limit // 400)
    assert (said.finish_reason, said.tokens) == ("length", limit)


def test_an_introduction_stands_before_the_essay() -> None:
    said = only(say(asking(introduction="support-agent says: no."), a_turn()))
    assert said == Said(f"support-agent says: no.\n\n{ESSAY}", (), "stop", 400)


def test_a_text_ends_before_the_first_stop_in_it_and_costs_what_was_said_of_it() -> None:
    words = ESSAY.split()
    position = ESSAY.index(" synchronous")
    said = only(say(asking(stop=("no such words", " standby", " synchronous")), a_turn()))
    assert (said.text, said.finish_reason) == (ESSAY[:position], "stop")
    assert position < ESSAY.index(" standby")
    assert said.tokens == 400 * len(said.text.split()) // len(words)


def test_a_stop_that_is_not_in_the_text_changes_nothing() -> None:
    assert say(asking(stop=("no such words",)), a_turn()) == say(asking(), a_turn())


def test_a_text_that_begins_with_the_stop_is_empty_and_costs_one_token() -> None:
    assert only(say(asking(stop=(ESSAY[:4],)), a_turn())) == Said("", (), "stop", 1)


def test_a_stop_behind_the_limit_is_not_met() -> None:
    said = only(say(asking(stop=(ESSAY[-10:],), max_tokens=100), a_turn()))
    assert (said.finish_reason, said.tokens) == ("length", 100)
    assert only(say(asking(stop=(ESSAY[:4],), max_tokens=100), a_turn())).finish_reason == "stop"


@pytest.mark.parametrize(("tokens", "asked"), [(FIXED, Asked()), (TokenRange(1, 99), Asked(completion_tokens=50))])
def test_fixed_tokens_are_what_an_answer_costs_whatever_it_says(tokens: TokenRange, asked: Asked) -> None:
    turn = a_turn(Choice(2, 50), tokens=tokens, asked=asked)
    assert only(say(asking(stop=(ESSAY[:4],)), turn)).tokens == 50
    assert only(say(asking((ToolCall("f", "{}"),)), turn)) == Said("", (ToolCall("f", "{}"),), "tool_calls", 50)
    assert only(say(asking(max_tokens=9), turn)).tokens == 9
    assert only(say(asking((ToolCall("f", "{}"),), max_tokens=9), turn)).tokens == 9


def test_an_answer_of_no_tokens_is_whole() -> None:
    said = only(say(asking(max_tokens=5), a_turn(asked=Asked(completion_tokens=0))))
    assert said == Said(ESSAY, (), "stop", 0)


def test_each_choice_is_cut_by_itself_and_shares_what_a_header_asks_for() -> None:
    choices = (Choice(1, 400), Choice(2, 500), Choice(3, 90))
    said = say(asking(max_tokens=100), a_turn(*choices))
    assert [(each.tokens, each.finish_reason) for each in said] == [(100, "length"), (100, "length"), (90, "stop")]
    assert said[2].text == ESSAYS[3]
    shared = say(asking(), a_turn(*choices, asked=Asked(completion_tokens=11)))
    assert [each.tokens for each in shared] == [4, 4, 3]


def test_calls_take_twenty_tokens_each() -> None:
    calls = (ToolCall("f", "{}"), ToolCall("g", '{"a": 1}'))
    assert only(say(asking(calls), a_turn())) == Said("", calls, "tool_calls", 40)


CALLS = st.lists(st.builds(ToolCall, st.text("ab_", min_size=1), st.text().map(json.dumps)), min_size=1, max_size=4)


@given(calls=CALLS, limit=st.integers(min_value=1, max_value=100))
def test_calls_over_the_limit_break_off(calls: list[ToolCall], limit: int) -> None:
    said = only(say(asking(tuple(calls), limit), a_turn()))
    whole = 20 * len(calls)
    assert said.tokens == min(whole, limit)
    assert len(said.calls) == -(-said.tokens // 20)
    assert all(call.arguments.startswith(part.arguments) for call, part in zip(calls, said.calls, strict=False))
    assert (said.finish_reason == "tool_calls") == (limit >= whole)
    assert (tuple(calls) == said.calls) == (limit >= whole)
