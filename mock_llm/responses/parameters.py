"""The parameters whose values this API checks and repeats in its answer, though they change nothing in what the mock says."""

from typing import Any

from mock_llm.chat.parameters import EFFORTS, SERVICE_TIERS, out_of_range
from mock_llm.errors import wrong_type, wrong_value
from mock_llm.metadata import check_metadata

BOOLEANS = ("background", "parallel_tool_calls", "store", "stream")
STRINGS = ("instructions", "previous_response_id", "prompt_cache_key", "safety_identifier", "user")
OBJECTS = ("metadata", "reasoning", "stream_options", "text")
INTEGERS = {"max_output_tokens": (16, None), "max_tool_calls": (1, None), "top_logprobs": (0, 20)}
"""With the least and the greatest value."""
NUMBERS = {"temperature": 2, "top_p": 1}
"""From 0 to this."""
TRUNCATIONS = ("auto", "disabled")


def check_parameters(asked: dict[str, Any]) -> None:
    """Raises ApiError (400) for a wrong one. One that is null is one that is absent."""
    for params, kind, expected in ((BOOLEANS, bool, "a boolean"), (STRINGS, str, "a string"), (OBJECTS, dict, "an object")):
        for param in params:
            if not isinstance(asked.get(param), kind | None):
                raise wrong_type(param, expected, asked[param])
    for param, (least, most) in INTEGERS.items():
        _check_integer(param, asked.get(param), least, most)
    for param, most in NUMBERS.items():
        _check_number(param, asked.get(param), most)
    _check_choice("truncation", asked.get("truncation"), TRUNCATIONS)
    _check_choice("reasoning.effort", (asked.get("reasoning") or {}).get("effort"), EFFORTS)
    _check_choice("service_tier", asked.get("service_tier"), SERVICE_TIERS)
    check_metadata("metadata", asked.get("metadata") or {})


def _check_integer(param: str, value: Any, least: int, most: int | None) -> None:
    if value is None:
        return
    if type(value) is not int:
        raise wrong_type(param, "an integer", value)
    if value < least or (most is not None and value > most):
        raise out_of_range(param, "integer", value, least, most)


def _check_number(param: str, value: Any, most: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(param, "a decimal", value)
    if not 0 <= value <= most:
        raise out_of_range(param, "decimal", value, 0, most)


def _check_choice(param: str, value: Any, supported: tuple[str, ...]) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise wrong_type(param, "a string", value)
    if value not in supported:
        raise wrong_value(param, value, ", ".join(map(repr, supported)))
