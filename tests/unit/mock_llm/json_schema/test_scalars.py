from typing import Any

import pytest

from mock_llm.json_schema.scalars import FORMATS, LONGEST, NoInstanceError, TooLargeError, scalar


@pytest.mark.parametrize(
    ("kind", "schema", "value"),
    [
        ("null", {}, None),
        ("boolean", {}, False),
        ("string", {}, "text"),
        ("string", {"minLength": 7}, "textxxx"),
        ("string", {"maxLength": 2}, "te"),
        ("string", {"maxLength": 0}, ""),
        ("string", {"format": "date"}, FORMATS["date"]),
        ("integer", {}, 0),
        ("integer", {"minimum": 3}, 3),
        ("integer", {"minimum": 2.5}, 3),
        ("integer", {"maximum": -2.5}, -3),
        ("integer", {"exclusiveMinimum": 3}, 4),
        ("integer", {"exclusiveMaximum": 0}, -1),
        ("integer", {"minimum": 1, "maximum": 10, "multipleOf": 5}, 10),
        ("number", {"minimum": 0.5}, 0.5),
        ("number", {"maximum": -0.5}, -0.5),
        ("number", {"minimum": -1, "maximum": 1}, 0),
    ],
)
def test_it_is_the_plainest_that_the_schema_allows(kind: str, schema: dict[str, Any], value: object) -> None:
    made = scalar(kind, schema)
    assert made == value
    assert type(made) is type(value)


@pytest.mark.parametrize(
    ("kind", "schema", "reason"),
    [
        ("picture", {}, "'picture' is not a type"),
        ("string", {"format": "regex"}, "'regex' is a format that the mock does not know"),
        ("string", {"minLength": 5, "maxLength": 4}, "no such text of 5 to 4 characters"),
        ("string", {"format": "date", "maxLength": 4}, "no such text of 0 to 4 characters"),
        ("string", {"minLength": "5"}, "'minLength' is not a count"),
        ("string", {"maxLength": -1}, "'maxLength' is not a count"),
        ("number", {"minimum": "0"}, "'minimum' is not a number"),
        ("number", {"minimum": 1, "maximum": 0}, "finds no number"),
        ("integer", {"minimum": 1, "maximum": 4, "multipleOf": 3}, "finds no number"),
    ],
)
def test_what_it_cannot_do_it_says(kind: str, schema: dict[str, Any], reason: str) -> None:
    with pytest.raises(NoInstanceError, match=reason):
        scalar(kind, schema)


def test_a_text_is_not_made_without_end() -> None:
    with pytest.raises(TooLargeError):
        scalar("string", {"minLength": LONGEST + 1})
    with pytest.raises(TooLargeError):
        scalar("string", {"minLength": 10**30})
