"""JSON that every layer behind the door can hold: parsed, converted to protobuf and back, stored as text, sent out again."""

import json
import math
import re
from typing import NoReturn

DEEPEST = 40
"""Levels. Protobuf refuses a message of more than 100, and a level of JSON is two of its `Value`s."""

TOO_DEEP = f"is nested more than {DEEPEST} levels deep"

_UNSPEAKABLE = re.compile(r"(?<!\\)(?:\\\\)*\\u(?:0000|[dD][89a-fA-F])")
"""An escape of NUL, which Postgres does not store, or of half a surrogate pair, which UTF-8 cannot write."""


_LONG_NUMBER = re.compile(r"(?<![0-9])[0-9]{300}|[0-9][eE]\+?[0-9]{3}")
"""What may be a number beyond the largest of protobuf's, which is a double."""


class BodyError(ValueError):
    """The body cannot be used; the text is the reason, to follow "The request's body"."""


def check_json(body: bytes) -> None:
    """Raises BodyError."""
    try:
        text = body.decode()
        document = json.loads(text, parse_constant=_no_number)
        if _LONG_NUMBER.search(text):
            json.loads(text, parse_int=_finite, parse_float=_finite)
    except UnicodeDecodeError:
        raise BodyError("is not UTF-8") from None
    except RecursionError:
        raise BodyError(TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise BodyError(f"is not JSON: {error.msg}, at character {error.pos}") from None
    except ValueError:
        # Python reads no more than 4,300 digits, and says so in words that are not for a caller.
        raise BodyError("holds a number that is none, or too large") from None
    if text.count("[") + text.count("{") > DEEPEST and _is_deeper(document, DEEPEST):
        raise BodyError(TOO_DEEP)
    if _UNSPEAKABLE.search(text) and not _can_be_kept(document):
        raise BodyError("holds NUL or half of a surrogate pair, which is no text")


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number in JSON")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError("too large")
    return value


def _is_deeper(document: object, most: int) -> bool:
    level = [document]
    for _ in range(most):
        nested: list[object] = []
        for value in level:
            if isinstance(value, dict):
                nested += value.values()
            elif isinstance(value, list):
                nested += value
        level = [value for value in nested if isinstance(value, dict | list)]
        if not level:
            return False
    return True


def _can_be_kept(document: object) -> bool:
    try:
        return b"\\u0000" not in json.dumps(document, ensure_ascii=False).replace("\\\\", "").encode()
    except UnicodeEncodeError:
        return False
