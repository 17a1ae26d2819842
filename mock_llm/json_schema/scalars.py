"""Texts and numbers that a JSON Schema asks for."""

import math
from typing import Any

WORD = "text"
LONGEST = 1 << 17
FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "alice@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class NoInstanceError(ValueError):
    """The text says what the schema asks for that the mock cannot make."""


class TooLargeError(NoInstanceError):
    """However one would choose among alternatives."""


def scalar(kind: Any, schema: dict[str, Any]) -> str | float | None:
    """Raises NoInstanceError."""
    match kind:
        case "string":
            return _text(schema)
        case "integer" | "number":
            return _number(schema, is_whole=kind == "integer")
        case "boolean":
            return False
        case "null":
            return None
    raise NoInstanceError(f"{str(kind)[:80]!r} is not a type")


def _text(schema: dict[str, Any]) -> str:
    """Raises NoInstanceError."""
    least, most = count(schema, "minLength", 0), count(schema, "maxLength", LONGEST)
    form = schema.get("format")
    if least > LONGEST:
        raise TooLargeError(f"a text of {least} characters is longer than {LONGEST}")
    if form is None:
        made = WORD[:most].ljust(least, "x")
    elif isinstance(form, str) and form in FORMATS:
        made = FORMATS[form]
    else:
        raise NoInstanceError(f"{str(form)[:80]!r} is a format that the mock does not know")
    if not least <= len(made) <= most:
        raise NoInstanceError(f"the mock knows no such text of {least} to {most} characters")
    return made


def _number(schema: dict[str, Any], *, is_whole: bool) -> float:
    """0 if that will do, else one at an end of the range. Raises NoInstanceError."""
    least, most = _bound(schema, "minimum", -math.inf), _bound(schema, "maximum", math.inf)
    above, below = _bound(schema, "exclusiveMinimum", -math.inf), _bound(schema, "exclusiveMaximum", math.inf)
    ends = [end for end in (least, most, above + 1, below - 1) if math.isfinite(end)]
    if is_whole:
        ends = [end for exact in ends for end in (math.ceil(exact), math.floor(exact))]
    step = _bound(schema, "multipleOf", 0)
    for candidate in (0, *ends):
        if least <= candidate <= most and above < candidate < below and (not step or candidate % step == 0):
            return candidate
    raise NoInstanceError("the mock finds no number in the range that is asked for")


def count(schema: dict[str, Any], keyword: str, default: int) -> int:
    """Raises NoInstanceError."""
    value = schema.get(keyword, default)
    if type(value) is not int or value < 0:
        raise NoInstanceError(f"{keyword!r} is not a count")
    return value


def _bound(schema: dict[str, Any], keyword: str, default: float) -> float:
    value = schema.get(keyword, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NoInstanceError(f"{keyword!r} is not a number")
    return value
