"""A small instance of a JSON Schema: what an answer in JSON says, and what a call passes beside the prompt."""

import json
from typing import Any

from mock_llm.json_schema.scalars import NoInstanceError, TooLargeError, count, scalar

MOST_CHARACTERS = 1 << 17
"""Of the instances of one request. A few lines of schemas that refer to one another stand for gigabytes."""
DEEPEST = 60
_COMBINED = ("allOf", "anyOf", "oneOf")
_BEYOND = ("not", "if", "pattern", "uniqueItems", "contains", "prefixItems", "minProperties", "dependentRequired")
"""Keywords that the mock knows no way to satisfy."""
_TYPES = {"properties": "object", "required": "object", "items": "array"}
"""What a schema that names no type is about."""


class Instances:
    """The instances of one request, which share one limit."""

    def __init__(self) -> None:
        self._left = MOST_CHARACTERS

    def of(self, schema: Any, root: Any) -> Any:
        """`root` is the document that the schema stands in. Raises NoInstanceError."""
        return self._made(schema, root, ())

    def _made(self, schema: Any, root: Any, path: tuple[str, ...]) -> Any:
        """`path` holds the references that led here, and an empty text for each other step."""
        self._spend(4)
        if len(path) > DEEPEST:
            raise NoInstanceError("it is nested too deeply")
        if schema is True:
            return None
        if not isinstance(schema, dict):
            raise NoInstanceError(f"{str(schema)[:80]!r} is no schema that a value can meet")
        if "$ref" in schema:
            reference = schema["$ref"]
            if reference in path:
                raise NoInstanceError(f"{str(reference)[:80]!r} refers to itself without end")
            return self._made(_found(root, reference), root, (*path, reference))
        for keyword in _COMBINED:
            if keyword in schema:
                return self._chosen(keyword, schema, root, (*path, ""))
        return self._plain(schema, root, (*path, ""))

    def _chosen(self, keyword: str, schema: dict[str, Any], root: Any, path: tuple[str, ...]) -> Any:
        """Of the alternatives the first that there is an instance of."""
        options = schema[keyword]
        if not isinstance(options, list) or not options or (keyword == "allOf" and len(options) > 1):
            raise NoInstanceError(f"the mock cannot do what {keyword!r} says")
        rest = {key: value for key, value in schema.items() if key != keyword}
        problem = NoInstanceError()
        for option in options:
            try:
                return self._made(_joined(rest, option), root, path)
            except TooLargeError:
                raise
            except NoInstanceError as error:
                problem = error
        raise problem

    def _plain(self, schema: dict[str, Any], root: Any, path: tuple[str, ...]) -> Any:
        if "const" in schema or "enum" in schema:
            return self._given(schema)
        beyond = next((keyword for keyword in _BEYOND if schema.get(keyword)), None)
        if beyond is not None:
            raise NoInstanceError(f"the mock cannot do what {beyond!r} says")
        match _type(schema):
            case "object":
                return self._object(schema, root, path)
            case "array":
                return [self._made(schema.get("items", True), root, path) for _ in range(count(schema, "minItems", 0))]
            case kind:
                value = scalar(kind, schema)
                self._spend(len(str(value)))
                return value

    def _given(self, schema: dict[str, Any]) -> Any:
        values = [schema["const"]] if "const" in schema else schema["enum"]
        if not isinstance(values, list) or not values:
            raise NoInstanceError("'enum' is not a list of values")
        self._spend(len(json.dumps(values[0])))
        return values[0]

    def _object(self, schema: dict[str, Any], root: Any, path: tuple[str, ...]) -> dict[str, Any]:
        properties, required = schema.get("properties") or {}, schema.get("required") or []
        if not isinstance(properties, dict) or not isinstance(required, list):
            raise NoInstanceError("'properties' is not an object, or 'required' is not a list")
        made = {}
        for name in required:
            if not isinstance(name, str):
                raise NoInstanceError("'required' is not a list of names")
            self._spend(len(name))
            made[name] = self._made(properties.get(name, True), root, path)
        return made

    def _spend(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise TooLargeError(f"its instance would be longer than {MOST_CHARACTERS} characters")


def _type(schema: dict[str, Any]) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list) and kind:
        return kind[0]
    return next((about for keyword, about in _TYPES.items() if keyword in schema), "null") if kind is None else kind


def _joined(rest: dict[str, Any], option: Any) -> Any:
    """An alternative with what holds for all of them."""
    if not isinstance(option, dict):
        return option
    twice = [key for key in rest if key in option and key not in ("title", "description", "default")]
    if "$ref" in option and rest.keys() - {"title", "description", "default", "discriminator", "$defs"}:
        twice.append("$ref")
    if twice:
        raise NoInstanceError(f"the mock cannot join the {twice[0][:80]!r} of a schema with that of its alternatives")
    return rest | option


def _found(root: Any, reference: Any) -> Any:
    """RFC 6901, within the document."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise NoInstanceError(f"the reference {str(reference)[:80]!r} leads out of the document")
    found = root
    for step in filter(None, reference[1:].split("/")):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    if found is None:
        raise NoInstanceError(f"the reference {reference[:80]!r} leads nowhere")
    return found
