"""JSON read so strictly that the gateway in front, with another parser, cannot have understood anything else.

Refused beyond RFC 8259's grammar, which Python's own reader is laxer than: NaN and Infinity, numbers too large for a
double, and half of a surrogate pair (section 8.2). Of a key given twice the last counts, as for the gateway, which adds its
own `stream_options` behind a caller's.
"""

import json
import math
from typing import Any, NoReturn


def read_json(body: bytes) -> Any:
    """The value in a UTF-8 body. Raises ValueError with the reason."""
    try:
        value = _DECODER.decode(body.decode("utf-8"))
        if b"\\u" in body:
            _refuse_lone_surrogates(value)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def _refuse_lone_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("a string holds half of a surrogate pair") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
