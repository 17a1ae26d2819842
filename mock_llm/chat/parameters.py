"""The parameters that change little or nothing here, refused where OpenAI would refuse them. Unknown ones are accepted."""

from collections.abc import Callable
from typing import Any

from mock_llm.errors import ApiError, empty_array, wrong_type, wrong_value
from mock_llm.metadata import check_metadata

MOST_CHOICES = 128
MOST_STOPS = 4
STRONGEST_BIAS = 100
SERVICE_TIERS = ("auto", "default", "flex", "scale", "priority", "fast")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

Check = Callable[[str, Any], None]


def check_parameters(asked: dict[str, Any]) -> None:
    """Raises ApiError (400). One that is null is absent."""
    for param, value in asked.items():
        if value is not None and (check := _CHECKS.get(param)) is not None:
            check(param, value)
    if asked.get("top_logprobs") is not None and not asked.get("logprobs"):
        message = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."
        raise ApiError(400, message, "top_logprobs", "invalid_value")


def choices_of(asked: dict[str, Any]) -> int:
    choices = asked.get("n")
    return 1 if choices is None else int(choices)


def stops_of(asked: dict[str, Any]) -> tuple[str, ...]:
    """The sequences that end the text. An empty one stands nowhere."""
    stop = asked.get("stop")
    if stop is None:
        return ()
    return tuple(filter(None, [stop] if isinstance(stop, str) else stop))


def is_fixed(asked: dict[str, Any]) -> bool:
    """Whether the same request is to be answered alike each time."""
    return asked.get("temperature") == 0 or asked.get("seed") is not None


def out_of_range(param: str, kind: str, value: float, least: float, most: float | None) -> ApiError:
    if value < least:
        message = f"Invalid '{param}': {kind} below minimum value. Expected a value >= {least}, but got {value} instead."
        return ApiError(400, message, param, f"{kind}_below_min_value")
    message = f"Invalid '{param}': {kind} above maximum value. Expected a value <= {most}, but got {value} instead."
    return ApiError(400, message, param, f"{kind}_above_max_value")


def _number(least: float, most: float) -> Check:
    def check(param: str, value: Any) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise wrong_type(param, "a decimal", value)
        if not least <= value <= most:
            raise out_of_range(param, "decimal", value, least, most)

    return check


def _integer(least: int | None = None, most: int | None = None) -> Check:
    def check(param: str, value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_type(param, "an integer", value)
        if (least is not None and value < least) or (most is not None and value > most):
            raise out_of_range(param, "integer", value, least or 0, most)

    return check


def _instance(kind: type, expected: str) -> Check:
    def check(param: str, value: Any) -> None:
        if not isinstance(value, kind):
            raise wrong_type(param, expected, value)

    return check


def _stop(param: str, value: Any) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, list):
        raise wrong_type(param, "a string or an array of strings", value)
    if not value:
        raise empty_array(param)
    if len(value) > MOST_STOPS:
        message = (
            f"Invalid '{param}': array too long. Expected an array with maximum length {MOST_STOPS}, "
            f"but got an array with length {len(value)} instead."
        )
        raise ApiError(400, message, param, "array_above_max_length")
    for index, each in enumerate(value):
        if not isinstance(each, str):
            raise wrong_type(f"{param}[{index}]", "a string", each)


def _biases(param: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise wrong_type(param, "an object", value)
    check = _number(-STRONGEST_BIAS, STRONGEST_BIAS)
    for token, bias in value.items():
        check(f"{param}.{token[:80]}", bias)


def _one_of(supported: tuple[str, ...]) -> Check:
    def check(param: str, value: Any) -> None:
        if not isinstance(value, str):
            raise wrong_type(param, "a string", value)
        if value not in supported:
            raise wrong_value(param, value, ", ".join(map(repr, supported)))

    return check


_TEXT = _instance(str, "a string")
_FLAG = _instance(bool, "a boolean")

_CHECKS: dict[str, Check] = {
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "presence_penalty": _number(-2, 2),
    "frequency_penalty": _number(-2, 2),
    "n": _integer(1, MOST_CHOICES),
    "seed": _integer(),
    "top_logprobs": _integer(0, 20),
    "stop": _stop,
    "logprobs": _FLAG,
    "store": _FLAG,
    "user": _TEXT,
    "service_tier": _one_of(SERVICE_TIERS),
    "reasoning_effort": _one_of(EFFORTS),
    "logit_bias": _biases,
    "metadata": check_metadata,
}
