from typing import Any

import pytest

from mock_llm.chat.tool_calls import ToolCall
from mock_llm.errors import ApiError
from mock_llm.responses.items import History
from mock_llm.responses.request import previous_response, read_responses_request

HELLO: dict[str, Any] = {"input": "one two three four"}
TOOL: dict[str, Any] = {
    "type": "function",
    "name": "search",
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
}


def fixed(asked: dict[str, Any], history: History | None = None) -> bytes | None:
    return read_responses_request(asked, history or History()).chat.fixed


def test_it_is_a_chat_request_in_other_words() -> None:
    asked = HELLO | {"instructions": "five six", "stream": True, "max_output_tokens": 20, "model": "gpt-4o", "tools": [TOOL]}
    chat = read_responses_request(asked, History()).chat
    assert (chat.model, chat.text, chat.prompt_tokens) == ("gpt-4o", "one two three four", 7)
    assert (chat.stream, chat.max_tokens, chat.calls, chat.fixed) == (True, 20, (), None)


def test_what_is_left_open() -> None:
    asked = read_responses_request(HELLO, History())
    assert (asked.chat.model, asked.chat.stream, asked.chat.max_tokens, asked.chat.introduction) == (None, False, None, "")
    assert asked.is_kept
    assert read_responses_request(HELLO | {"store": True}, History()).is_kept
    assert not read_responses_request(HELLO | {"store": False}, History()).is_kept


def test_a_prompt_that_names_a_tool_calls_it_and_its_output_is_woven_in() -> None:
    asked = {"input": "ask search now", "tools": [TOOL]}
    first = read_responses_request(asked, History())
    assert first.chat.calls == (ToolCall("search", '{"query": "ask search now"}'),)
    told = {"type": "function_call_output", "call_id": "a", "output": "It is up."}
    second = read_responses_request({"input": [told], "tools": [TOOL]}, first.history._replace(calls={"a": "search"}))
    assert (second.chat.calls, second.chat.introduction) == ((), "search says: It is up.")


def test_the_words_of_the_turns_before_count_and_instructions_are_not_carried_over() -> None:
    asked = read_responses_request(HELLO | {"instructions": "five six"}, History(100, "before"))
    assert asked.chat.prompt_tokens == int(106 * 1.3)
    assert asked.history == History(104, "one two three four")


def test_at_temperature_0_an_answer_is_fixed_by_all_that_matters_for_it() -> None:
    asked = HELLO | {"temperature": 0}
    same = asked | {"stream": True, "store": False, "metadata": {"a": "b"}, "previous_response_id": "resp_1"}
    assert fixed(asked) is not None
    assert fixed(asked) == fixed(same)
    others = [asked | {"input": "else"}, asked | {"instructions": "x"}, asked | {"model": "gpt-4o"}]
    keys = {fixed(asked), *map(fixed, others), fixed(asked, History(1, "before")), fixed(asked, History(2, "before"))}
    assert len(keys) == 6
    assert fixed(HELLO | {"temperature": 0.1}) is None


def test_the_response_that_it_continues() -> None:
    assert previous_response(HELLO) is None
    assert previous_response(HELLO | {"previous_response_id": "resp_1"}) == "resp_1"
    with pytest.raises(ApiError, match="expected a boolean"):
        previous_response({"stream": 1})


@pytest.mark.parametrize(("param", "message"), [("conversation", "Conversation not found"), ("prompt", "Prompt not found")])
def test_what_only_openai_keeps_is_not_found(param: str, message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        previous_response(HELLO | {param: "x"})
    assert (caught.value.status, caught.value.param) == (404, param)


def test_calls_that_would_repeat_too_long_an_input_are_refused() -> None:
    tools = [TOOL | {"name": f"t{number}"} for number in range(128)]
    names = " ".join(tool["name"] for tool in tools)
    assert len(read_responses_request({"input": names, "tools": tools}, History()).chat.calls) == 128
    with pytest.raises(ApiError, match="would be longer than") as caught:
        read_responses_request({"input": names + " x" * (1 << 16), "tools": tools}, History())
    assert (caught.value.status, caught.value.param) == (400, "tools")
