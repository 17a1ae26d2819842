from typing import Any

import pytest
from pydantic import BaseModel, Field

from mock_llm.json_schema.instances import Instances
from mock_llm.json_schema.scalars import NoInstanceError, TooLargeError


def made(schema: Any) -> Any:
    return Instances().of(schema, schema)


STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (True, None),
        ({}, None),
        ({"type": "object"}, {}),
        ({"type": "object", "properties": {"a": STRING, "b": STRING}, "required": ["b"]}, {"b": "text"}),
        ({"properties": {"a": STRING}, "required": ["a", "c"]}, {"a": "text", "c": None}),
        ({"type": "array", "items": STRING}, []),
        ({"type": "array", "items": STRING, "minItems": 2}, ["text", "text"]),
        ({"items": STRING}, []),
        ({"enum": ["c", "f"]}, "c"),
        ({"const": {"a": 1}}, {"a": 1}),
        ({"type": ["integer", "null"]}, 0),
        ({"anyOf": [STRING, {"type": "null"}]}, "text"),
        ({"oneOf": [{"type": "boolean"}]}, False),
        ({"allOf": [{"$ref": "#/$defs/A"}], "description": "x", "$defs": {"A": STRING}}, "text"),
        ({"$ref": "#/definitions/a~1b", "definitions": {"a/b": {"const": 1}}}, 1),
        ({"type": "string", "anyOf": [{"minLength": 6}]}, "textxx"),
    ],
)
def test_it_is_the_smallest_that_the_schema_allows(schema: Any, value: Any) -> None:
    assert made(schema) == value


class Node(BaseModel):
    name: str
    next: "Node | None"


class Place(BaseModel):
    city: str = Field(min_length=6)
    level: int = Field(ge=3)
    tags: list[str] = Field(min_length=1)
    inner: Node


def test_what_it_makes_of_a_models_schema_is_the_model() -> None:
    place = Place.model_validate(made(Place.model_json_schema()))
    assert (place.level, place.tags, place.inner.next) == (3, ["text"], None)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (False, "no schema that a value can meet"),
        ({"type": "string", "pattern": "a+"}, "cannot do what 'pattern' says"),
        ({"not": STRING}, "cannot do what 'not' says"),
        ({"allOf": [STRING, STRING]}, "cannot do what 'allOf' says"),
        ({"anyOf": []}, "cannot do what 'anyOf' says"),
        ({"required": ["a"], "anyOf": [{"required": ["b"]}]}, "cannot join the 'required'"),
        ({"minLength": 2, "anyOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": STRING}}, r"cannot join the '\$ref'"),
        ({"$ref": "#"}, "'#' refers to itself without end"),
        ({"$ref": "#/$defs/A"}, "leads nowhere"),
        ({"$ref": "other.json"}, "leads out of the document"),
        ({"$ref": 7}, "leads out of the document"),
        ({"enum": []}, "'enum' is not a list of values"),
        ({"required": "a"}, "'required' is not a list"),
        ({"required": [1]}, "'required' is not a list of names"),
        ({"properties": ["a"], "required": ["a"]}, "'properties' is not an object"),
    ],
)
def test_what_it_cannot_do_it_says(schema: Any, reason: str) -> None:
    with pytest.raises(NoInstanceError, match=reason):
        made(schema)


def test_no_schema_is_followed_without_end() -> None:
    nexts = [{"$ref": f"#/$defs/L{level}"} for level in range(1, 29)]
    schemas = {f"L{level}": {"properties": {"a": n, "b": n}, "required": ["a", "b"]} for level, n in enumerate(nexts)}
    with pytest.raises(TooLargeError):
        made({"$ref": "#/$defs/L0", "$defs": schemas | {"L28": {}}})
    with pytest.raises(TooLargeError):
        made({"anyOf": [{"type": "array", "minItems": 10**12}, {"type": "null"}]})
    deep: Any = {}
    for _ in range(300):
        deep = {"type": "array", "minItems": 1, "items": deep}
    with pytest.raises(NoInstanceError, match="nested too deeply"):
        made(deep)


def test_all_instances_of_a_request_share_one_limit() -> None:
    instances, schema = Instances(), {"type": "string", "minLength": 50_000}
    assert len(instances.of(schema, schema)) == len(instances.of(schema, schema)) == 50_000
    with pytest.raises(TooLargeError):
        instances.of(schema, schema)
