import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_llm.chat.request import ChatRequest, read_chat_request
from mock_llm.errors import ApiError

HELLO = [{"role": "user", "content": "hello"}]
A_CALL = {"id": "call_1", "type": "function", "function": {"name": "a__NS__support_agent", "arguments": "{}"}}
SCHEMA = {"type": "object", "properties": {"message": {"type": "string"}}}
PASSES_ON = {"type": "function", "function": {"name": "support-agent", "parameters": SCHEMA}}
AGENT = {"type": "function", "function": {"name": "a__NS__support_agent"}}


def read(**members: Any) -> ChatRequest:
    return read_chat_request(json.dumps({"messages": HELLO} | members).encode())


def refusal(body: bytes) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read_chat_request(body)
    return caught.value


def test_the_least_request_leaves_all_to_the_mock() -> None:
    assert read() == ChatRequest(
        model=None,
        prompt_tokens=1,
        stream=False,
        include_usage=False,
        text="hello",
        max_tokens=None,
        calls=(),
        introduction="",
        choices=1,
        stop=(),
        fixed=None,
    )


def test_a_stream_with_usage_is_understood() -> None:
    asked = read(model="gpt-4o", stream=True, stream_options={"include_usage": True, "include_obfuscation": False})
    assert (asked.model, asked.stream, asked.include_usage) == ("gpt-4o", True, True)


@pytest.mark.parametrize("options", [{}, {"include_usage": False}])
def test_a_stream_has_no_usage_unless_asked_for(options: dict[str, bool]) -> None:
    assert read(stream=True, stream_options=options).include_usage is False


def test_unknown_parameters_are_accepted() -> None:
    assert read(top_p=0.2, functions=[], frobnicate={"a": None}) == read()


@given(words=st.integers(min_value=0, max_value=400))
def test_prompt_tokens_are_the_words_times_1_3_and_at_least_one(words: int) -> None:
    asked = read(messages=[{"role": "user", "content": " ".join(["word"] * words)}])
    assert asked.prompt_tokens == max(1, words * 13 // 10)


def test_the_words_of_all_messages_and_text_parts_are_counted() -> None:
    messages = [
        {"role": "system", "content": "one two\nthree"},
        {"role": "user", "content": [{"type": "text", "text": "four five"}, {"type": "image_url", "image_url": {}}]},
        {"role": "assistant", "content": None},
        {"role": "assistant", "tool_calls": [A_CALL]},
        {"role": "tool", "content": "six seven eight nine ten", "tool_call_id": "call_1"},
    ]
    assert read(messages=messages).prompt_tokens == 13


@pytest.mark.parametrize(
    ("members", "param", "code"),
    [
        ({"stream": "true"}, "stream", "invalid_type"),
        ({"stream": 1}, "stream", "invalid_type"),
        ({"stream": True, "stream_options": True}, "stream_options", "invalid_type"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage", "invalid_type"),
        ({"stream": True, "stream_options": {"include_usage": "true"}}, "stream_options.include_usage", "invalid_type"),
        ({"stream_options": {"include_usage": True}}, "stream_options", None),
        ({"stream": False, "stream_options": {}}, "stream_options", None),
        ({"model": 7}, "model", "invalid_type"),
        ({"model": "m" * 257}, "model", "string_above_max_length"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type", "invalid_value"),
        ({"messages": [{"role": "user", "content": [{"type": "refusal"}]}]}, "messages[0].content[0].type", "invalid_value"),
        ({"messages": [{"role": "assistant", "content": [{"type": "file"}]}]}, "messages[0].content[0].type", "invalid_value"),
        ({"model": ""}, "model", "invalid_value"),
        ({"max_tokens": "9"}, "max_tokens", "invalid_type"),
        ({"max_tokens": True}, "max_tokens", "invalid_type"),
        ({"max_completion_tokens": 9.5}, "max_completion_tokens", "invalid_type"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"max_completion_tokens": -1}, "max_completion_tokens", "integer_below_min_value"),
        ({"max_tokens": 9, "max_completion_tokens": 9}, "max_tokens", "invalid_parameter_combination"),
        ({"n": 129}, "n", "integer_above_max_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": None}, "messages", "invalid_type"),
        ({"messages": "hello"}, "messages", "invalid_type"),
        ({"messages": ["hello"]}, "messages[0]", "invalid_type"),
        ({"messages": [*HELLO, {"content": "hello"}]}, "messages[1].role", "missing_required_parameter"),
        ({"messages": [{"role": 1, "content": "hello"}]}, "messages[0].role", "invalid_type"),
        ({"messages": [{"role": "robot", "content": "hello"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user", "content": {}}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]", "invalid_type"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type", "invalid_type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
            "missing_required_parameter",
        ),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(members: dict[str, Any], param: str, code: str | None) -> None:
    error = refusal(json.dumps({"messages": HELLO} | members).encode())
    assert (error.status, error.param, error.code) == (400, param, code)


def test_a_request_without_messages_is_refused() -> None:
    error = refusal(b"{}")
    assert (error.status, error.param, error.code) == (400, "messages", "missing_required_parameter")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"hello"', b"null", b'{"messages": NaN}', b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    error = refusal(body)
    assert (error.status, error.param, error.code) == (400, None, None)
    assert "JSON body" in error.message


@given(body=st.binary(max_size=60) | st.text(alphabet='{}[]":,truefalsnmg0', max_size=60).map(str.encode))
def test_no_body_whatever_does_worse_than_a_refusal(body: bytes) -> None:
    try:
        asked = read_chat_request(body)
    except ApiError as error:
        assert error.status == 400
    else:
        assert asked.prompt_tokens >= 1


def test_an_optional_parameter_that_is_null_is_absent() -> None:
    assert read(stream=None, stream_options=None, model=None) == read()
    assert read(stream=True, stream_options={"include_usage": None}) == read(stream=True)


@pytest.mark.parametrize("param", ["max_tokens", "max_completion_tokens"])
def test_a_limit_goes_by_two_names_and_may_be_null(param: str) -> None:
    assert read(**{param: 9}).max_tokens == 9
    assert read(**{param: None}).max_tokens is None
    assert read(max_tokens=None, max_completion_tokens=9).max_tokens == 9


def test_the_text_is_the_last_user_messages_whatever_stands_behind_it() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "two"}]
    said = [
        *HELLO,
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "no"},
        {"role": "system", "content": "x"},
    ]
    assert read(messages=said).text == "one\ntwo"
    assert read(messages=[{"role": "system", "content": "x"}]).text == ""


def test_a_prompt_that_names_a_tool_calls_it_and_what_the_tool_said_introduces_the_reply() -> None:
    asks = {"role": "user", "content": "ask support-agent"}
    (call,) = read(messages=[asks], tools=[AGENT]).calls
    assert call.name == "a__NS__support_agent"
    told = [asks, {"role": "assistant", "tool_calls": [A_CALL]}, {"role": "tool", "tool_call_id": "call_1", "content": "No."}]
    after = read(messages=told, tools=[AGENT])
    assert (after.calls, after.introduction) == ((), "support-agent says: No.")


def test_choices_and_stops_are_read() -> None:
    asked = read(n=3, stop=["a", "b"])
    assert (asked.choices, asked.stop) == (3, ("a", "b"))


def test_what_is_fixed_is_all_but_how_it_is_handed_over() -> None:
    fixed = read(temperature=0).fixed
    assert fixed is not None
    assert read(temperature=0, stream=True, stream_options={"include_usage": True}).fixed == fixed
    assert read(stream=False, temperature=0).fixed == fixed
    assert read(temperature=0, model="m").fixed not in (None, fixed)
    assert read(seed=3).fixed not in (None, read(seed=4).fixed)
    assert read(temperature=1).fixed is None


def test_calls_that_would_repeat_a_long_prompt_too_often_are_refused() -> None:
    asks = {"role": "user", "content": "support-agent " + "x" * 140_000}
    assert len(read(messages=[asks], tools=[PASSES_ON], n=100).calls) == 1
    error = refusal(json.dumps({"messages": [asks], "tools": [PASSES_ON], "n": 128}).encode())
    assert (error.status, error.param) == (400, "tools")


def test_a_body_that_is_nested_too_deeply_is_refused_however_its_answer_is_drawn() -> None:
    for depth in (900, 2000, 100_000):
        body = b'{"messages":[{"role":"user","content":"hi"}],"temperature":0,"x":' + b"[" * depth + b"]" * depth + b"}"
        try:
            read_chat_request(body)
        except ApiError as error:
            assert (error.status, "nested too deeply" in error.message) == (400, True)
