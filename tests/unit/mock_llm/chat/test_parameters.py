from typing import Any

import pytest

from mock_llm.chat.parameters import check_parameters, choices_of, is_fixed, stops_of
from mock_llm.errors import ApiError

GOOD: list[dict[str, Any]] = [
    {"temperature": 0},
    {"temperature": 2},
    {"temperature": 0.7, "top_p": 1, "presence_penalty": -2, "frequency_penalty": 2.0},
    {"n": 128, "seed": -7, "top_logprobs": 20, "logprobs": True, "store": False},
    {"stop": "end"},
    {"stop": ["a", "b", "c", "d"]},
    {"user": "alice", "service_tier": "auto", "reasoning_effort": "low"},
    {"logit_bias": {"50256": -100}, "metadata": {}, "response_format": {"type": "text"}},
    {"temperature": None, "n": None, "stop": None, "metadata": None},
    {"frobnicate": object()},
]

WRONG: list[tuple[str, Any, str]] = [
    ("temperature", "0.2", "invalid_type"),
    ("temperature", True, "invalid_type"),
    ("temperature", -0.1, "decimal_below_min_value"),
    ("temperature", 2.1, "decimal_above_max_value"),
    ("temperature", 10**400, "decimal_above_max_value"),
    ("top_p", 1.1, "decimal_above_max_value"),
    ("presence_penalty", -3, "decimal_below_min_value"),
    ("frequency_penalty", [], "invalid_type"),
    ("n", 0, "integer_below_min_value"),
    ("n", 129, "integer_above_max_value"),
    ("n", 1.5, "invalid_type"),
    ("n", True, "invalid_type"),
    ("seed", "7", "invalid_type"),
    ("seed", 7.5, "invalid_type"),
    ("top_logprobs", 21, "integer_above_max_value"),
    ("logprobs", 1, "invalid_type"),
    ("store", "yes", "invalid_type"),
    ("user", 7, "invalid_type"),
    ("service_tier", {}, "invalid_type"),
    ("reasoning_effort", 1, "invalid_type"),
    ("logit_bias", [], "invalid_type"),
    ("metadata", "x", "invalid_type"),
    ("service_tier", "cheap", "invalid_value"),
    ("reasoning_effort", "huge", "invalid_value"),
    ("top_logprobs", 2, "invalid_value"),
    ("stop", 7, "invalid_type"),
    ("stop", [], "empty_array"),
    ("stop", ["a"] * 5, "array_above_max_length"),
]


@pytest.mark.parametrize("asked", GOOD)
def test_what_openai_accepts_is_accepted(asked: dict[str, Any]) -> None:
    check_parameters(asked)


@pytest.mark.parametrize(("param", "value", "code"), WRONG)
def test_what_openai_refuses_is_refused_by_name(param: str, value: Any, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_parameters({param: value})
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)


def test_a_stop_that_is_no_text_is_named_by_its_place() -> None:
    with pytest.raises(ApiError) as caught:
        check_parameters({"stop": ["a", 7]})
    assert (caught.value.param, caught.value.code) == ("stop[1]", "invalid_type")


@pytest.mark.parametrize(
    ("asked", "param", "code"),
    [
        ({"metadata": {"k": 1}}, "metadata.k", "invalid_type"),
        ({"logit_bias": {"7": "much"}}, "logit_bias.7", "invalid_type"),
        ({"logit_bias": {"7": True}}, "logit_bias.7", "invalid_type"),
        ({"logit_bias": {"7": 100.5}}, "logit_bias.7", "decimal_above_max_value"),
        ({"logit_bias": {"7": -101}}, "logit_bias.7", "decimal_below_min_value"),
        ({"logprobs": False, "top_logprobs": 0}, "top_logprobs", "invalid_value"),
    ],
)
def test_what_stands_inside_a_parameter_is_named(asked: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_parameters(asked)
    assert (caught.value.param, caught.value.code) == (param, code)


def test_choices_and_stops_have_defaults() -> None:
    assert [choices_of(asked) for asked in ({}, {"n": None}, {"n": 3})] == [1, 1, 3]
    assert [stops_of({"stop": stop}) for stop in (None, "a", ["a", "b"], "", ["", "b"])] == [
        (),
        ("a",),
        ("a", "b"),
        (),
        ("b",),
    ]


def test_a_request_without_heat_or_with_a_seed_is_fixed() -> None:
    fixed: list[dict[str, Any]] = [{"temperature": 0}, {"temperature": 0.0}, {"seed": 0}]
    others: list[dict[str, Any]] = [{"temperature": 1}, {"seed": None}, {}]
    assert [is_fixed(each) for each in fixed + others] == [True, True, True, False, False, False]
