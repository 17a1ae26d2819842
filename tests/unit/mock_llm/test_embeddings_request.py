from typing import Any

import pytest

from mock_llm.embeddings.request import read_embeddings_request
from mock_llm.errors import ApiError


@pytest.mark.parametrize(
    ("given", "texts", "prompt_tokens"),
    [
        ("one two three four", ("one two three four",), 5),
        (" ", (" ",), 1),
        (["one", "one two three four"], ("one", "one two three four"), 6),
        ([1, 22, 333], ("1 22 333",), 3),
        ([[1, 2], [3]], ("1 2", "3"), 3),
    ],
)
def test_an_input_is_a_text_or_tokens_or_several(given: Any, texts: tuple[str, ...], prompt_tokens: int) -> None:
    asked = read_embeddings_request({"input": given})
    assert (asked.texts, asked.prompt_tokens) == (texts, prompt_tokens)


def test_the_vectors_are_of_1536_numbers_as_json_unless_asked_otherwise() -> None:
    asked = read_embeddings_request({"input": "x", "dimensions": None, "encoding_format": None, "user": None})
    assert (asked.dimensions, asked.in_base64) == (1536, False)
    asked = read_embeddings_request({"input": "x", "dimensions": 8, "encoding_format": "base64", "user": "alice", "other": 1})
    assert (asked.dimensions, asked.in_base64) == (8, True)
    assert not read_embeddings_request({"input": "x", "encoding_format": "float"}).in_base64


def test_what_openai_still_takes() -> None:
    assert len(read_embeddings_request({"input": ["x"] * 2048}).texts) == 2048
    assert read_embeddings_request({"input": [0] * 2048}).prompt_tokens == 2048
    assert read_embeddings_request({"input": "x", "dimensions": 1}).dimensions == 1
    assert read_embeddings_request({"input": "x", "dimensions": 3072}).dimensions == 3072


@pytest.mark.parametrize(
    ("asked", "param", "code", "message"),
    [
        ({}, "input", "missing_required_parameter", "Missing required parameter: 'input'."),
        ({"input": None}, "input", "missing_required_parameter", "Missing required parameter: 'input'."),
        ({"input": 1}, "input", "invalid_type", "expected a string or an array, but got an integer"),
        ({"input": ""}, "input", "invalid_value", "Invalid 'input': input cannot be an empty string."),
        ({"input": []}, "input", "empty_array", "Expected an array with minimum length 1"),
        ({"input": ["x"] * 2049}, "input", "array_above_max_length", "maximum length 2048, but got an array with length 2049"),
        ({"input": ["x", ""]}, "input[1]", "invalid_value", "input cannot be an empty string"),
        ({"input": ["x", 1]}, "input[1]", "invalid_type", "expected a string, but got an integer"),
        ({"input": ["x", [1]]}, "input[1]", "invalid_type", "expected a string, but got an array"),
        ({"input": [None]}, "input[0]", "invalid_type", "expected a string or an array of tokens, but got null"),
        ({"input": [True]}, "input[0]", "invalid_type", "expected a string or an array of tokens, but got a boolean"),
        ({"input": [1, "x"]}, "input[1]", "invalid_type", "expected an integer, but got a string"),
        ({"input": [1, True]}, "input[1]", "invalid_type", "expected an integer, but got a boolean"),
        ({"input": [1, -1]}, "input[1]", "integer_below_min_value", "Expected a value >= 0, but got -1"),
        ({"input": [1, 2**31]}, "input[1]", "integer_above_max_value", "Expected a value <= 2147483647"),
        ({"input": [0] * 2049}, "input", "array_above_max_length", "maximum length 2048"),
        ({"input": [[1], "x"]}, "input[1]", "invalid_type", "expected an array of tokens, but got a string"),
        ({"input": [[1], []]}, "input[1]", "empty_array", "Expected an array with minimum length 1"),
        ({"input": [[1], [0] * 2049]}, "input[1]", "array_above_max_length", "maximum length 2048"),
        ({"input": [[1], [1, "x"]]}, "input[1][1]", "invalid_type", "expected an integer, but got a string"),
        ({"input": "x", "dimensions": "8"}, "dimensions", "invalid_type", "expected an integer, but got a string"),
        ({"input": "x", "dimensions": True}, "dimensions", "invalid_type", "expected an integer, but got a boolean"),
        ({"input": "x", "dimensions": 0}, "dimensions", "integer_below_min_value", "Expected a value >= 1, but got 0"),
        ({"input": "x", "dimensions": 3073}, "dimensions", "integer_above_max_value", "Expected a value <= 3072, but got 3073"),
        ({"input": "x", "encoding_format": 1}, "encoding_format", "invalid_type", "expected a string"),
        ({"input": "x", "encoding_format": "hex"}, "encoding_format", "invalid_value", "'float' and 'base64'"),
        ({"input": "x", "user": 1}, "user", "invalid_type", "expected a string"),
    ],
)
def test_what_openai_refuses_is_refused(asked: dict[str, Any], param: str, code: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_embeddings_request(asked)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)
    assert message in caught.value.message


def test_the_vectors_of_an_answer_have_only_so_many_numbers() -> None:
    assert len(read_embeddings_request({"input": ["x"] * 2048}).texts) == 2048
    assert len(read_embeddings_request({"input": ["x"] * 1024, "dimensions": 3072}).texts) == 1024
    with pytest.raises(ApiError, match="more than 3145728 numbers") as caught:
        read_embeddings_request({"input": ["x"] * 1025, "dimensions": 3072})
    assert (caught.value.status, caught.value.param) == (400, "dimensions")
