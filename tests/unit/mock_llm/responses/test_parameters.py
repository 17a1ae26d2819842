from typing import Any

import pytest

from mock_llm.errors import ApiError
from mock_llm.responses.parameters import check_parameters


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"temperature": None, "text": None, "metadata": None, "truncation": None, "max_output_tokens": None, "store": None},
        {"temperature": 0, "top_p": 1, "top_logprobs": 20, "max_output_tokens": 16, "max_tool_calls": 1},
        {"temperature": 2.0, "top_p": 0.0, "top_logprobs": 0, "truncation": "auto", "background": True},
        {"metadata": {"k" * 64: "v" * 512} | {str(number): "" for number in range(15)}},
        {"text": {"format": {"type": "json_schema"}, "verbosity": "low"}, "reasoning": {"effort": "low"}},
        {"text": {"format": None}, "anything": {"else": 1}},
    ],
)
def test_what_openai_takes(asked: dict[str, Any]) -> None:
    check_parameters(asked)


@pytest.mark.parametrize(
    ("asked", "param", "code", "message"),
    [
        ({"stream": 1}, "stream", "invalid_type", "expected a boolean, but got an integer"),
        ({"store": "x"}, "store", "invalid_type", "expected a boolean"),
        ({"background": []}, "background", "invalid_type", "expected a boolean"),
        ({"parallel_tool_calls": 0}, "parallel_tool_calls", "invalid_type", "expected a boolean"),
        ({"instructions": 1}, "instructions", "invalid_type", "expected a string"),
        ({"previous_response_id": 1}, "previous_response_id", "invalid_type", "expected a string"),
        ({"user": 1}, "user", "invalid_type", "expected a string"),
        ({"metadata": "x"}, "metadata", "invalid_type", "expected an object"),
        ({"reasoning": "low"}, "reasoning", "invalid_type", "expected an object"),
        ({"stream_options": 1}, "stream_options", "invalid_type", "expected an object"),
        ({"max_output_tokens": "16"}, "max_output_tokens", "invalid_type", "expected an integer"),
        ({"max_output_tokens": True}, "max_output_tokens", "invalid_type", "expected an integer, but got a boolean"),
        ({"max_output_tokens": 15}, "max_output_tokens", "integer_below_min_value", "a value >= 16, but got 15"),
        ({"max_tool_calls": 0}, "max_tool_calls", "integer_below_min_value", "a value >= 1, but got 0"),
        ({"top_logprobs": 21}, "top_logprobs", "integer_above_max_value", "a value <= 20, but got 21"),
        ({"temperature": "1"}, "temperature", "invalid_type", "expected a decimal, but got a string"),
        ({"temperature": True}, "temperature", "invalid_type", "expected a decimal, but got a boolean"),
        ({"temperature": 2.1}, "temperature", "decimal_above_max_value", "a value <= 2, but got 2.1"),
        ({"temperature": -0.1}, "temperature", "decimal_below_min_value", "a value >= 0, but got -0.1"),
        ({"top_p": 1.1}, "top_p", "decimal_above_max_value", "a value <= 1, but got 1.1"),
        ({"truncation": 1}, "truncation", "invalid_type", "expected a string"),
        ({"truncation": "x"}, "truncation", "invalid_value", "Supported values are: 'auto', 'disabled'."),
        ({"service_tier": "cheap"}, "service_tier", "invalid_value", "Supported values are: 'auto', 'default'"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "invalid_value", "Supported values are: 'none'"),
        ({"metadata": {"k": 1}}, "metadata.k", "invalid_type", "expected a string"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k", "string_above_max_length", "at most 512 characters, but got 513"),
        ({"metadata": {"k" * 65: "v"}}, "metadata", "string_above_max_length", "a key is longer than 64 characters"),
        (
            {"metadata": {str(number): "" for number in range(17)}},
            "metadata",
            "object_above_max_properties",
            "at most 16, but got 17",
        ),
        ({"text": 1}, "text", "invalid_type", "expected an object"),
    ],
)
def test_what_openai_refuses_is_refused(asked: dict[str, Any], param: str, code: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_parameters(asked)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)
    assert message in caught.value.message
