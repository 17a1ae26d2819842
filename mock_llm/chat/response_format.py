"""An answer in JSON, where a request asks for one."""

import json
from typing import Any

from mock_llm.chat.tool_messages import required_object, required_string
from mock_llm.chat.tools import checked_name
from mock_llm.errors import ApiError, wrong_type, wrong_value
from mock_llm.json_schema.instances import Instances
from mock_llm.json_schema.scalars import NoInstanceError

FORMATS = ("text", "json_object", "json_schema")
ANY_OBJECT = '{"answer": "text"}'


def chat_content(asked: dict[str, Any]) -> str | None:
    """What is said in place of an essay, by a chat completion's `response_format`. Raises ApiError (400)."""
    form = asked.get("response_format")
    if form is None:
        return None
    param = "response_format"
    if _type(form, param) != "json_schema":
        return _without_schema(form)
    return _content(required_object(form, "json_schema", param), f"{param}.json_schema")


def flat_content(asked: dict[str, Any]) -> str | None:
    """The same by a response's `text.format`, in which name and schema are not nested."""
    form = (asked.get("text") or {}).get("format")
    if form is None:
        return None
    return _content(form, "text.format") if _type(form, "text.format") == "json_schema" else _without_schema(form)


def _type(form: Any, param: str) -> str:
    if not isinstance(form, dict):
        raise wrong_type(param, "an object", form)
    kind = required_string(form, "type", param)
    if kind not in FORMATS:
        raise wrong_value(f"{param}.type", kind, ", ".join(map(repr, FORMATS)))
    return kind


def _without_schema(form: dict[str, Any]) -> str | None:
    return ANY_OBJECT if form["type"] == "json_object" else None


def _content(described: dict[str, Any], param: str) -> str:
    name = checked_name(required_string(described, "name", param), f"{param}.name")
    if described.get("schema") is None:
        return ANY_OBJECT
    schema = required_object(described, "schema", param)
    try:
        return json.dumps(Instances().of(schema, schema), ensure_ascii=False)
    except NoInstanceError as error:
        raise ApiError(
            400, f"Invalid schema for response_format '{name}': {error}.", f"{param}.schema", "invalid_value"
        ) from None
