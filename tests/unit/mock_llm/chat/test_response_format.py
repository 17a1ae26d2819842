import json
from collections.abc import Callable
from typing import Any

import pytest

from mock_llm.chat.response_format import chat_content, flat_content
from mock_llm.errors import ApiError

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def chat(form: Any) -> str | None:
    if isinstance(form, dict) and form.get("type") == "json_schema":
        form = {"type": "json_schema", "json_schema": {key: form[key] for key in form if key != "type"}}
    return chat_content({"response_format": form})


def flat(form: Any) -> str | None:
    return flat_content({"text": {"format": form}})


EITHER = pytest.mark.parametrize("content", [chat, flat])


@EITHER
def test_json_is_said_where_it_is_asked_for(content: Callable[[Any], str | None]) -> None:
    assert content(None) is None
    assert content({"type": "text"}) is None
    assert isinstance(json.loads(content({"type": "json_object"}) or ""), dict)
    assert isinstance(json.loads(content({"type": "json_schema", "name": "a"}) or ""), dict)
    assert json.loads(content({"type": "json_schema", "name": "a", "schema": SCHEMA}) or "") == {"city": "text"}


def test_a_request_without_a_format_wants_none() -> None:
    assert chat_content({}) is None
    assert flat_content({}) is None
    assert flat_content({"text": {"verbosity": "low"}}) is None


@EITHER
@pytest.mark.parametrize(
    ("form", "param", "code"),
    [
        (7, "", "invalid_type"),
        ({}, ".type", "missing_required_parameter"),
        ({"type": "xml"}, ".type", "invalid_value"),
        ({"type": "json_schema"}, ".json_schema.name", "missing_required_parameter"),
        ({"type": "json_schema", "name": "a b"}, ".json_schema.name", "invalid_value"),
        ({"type": "json_schema", "name": "a", "schema": 7}, ".json_schema.schema", "invalid_type"),
        ({"type": "json_schema", "name": "a", "schema": {"not": {}, "type": "x"}}, ".json_schema.schema", "invalid_value"),
    ],
)
def test_a_wrong_format_is_refused_by_name(content: Callable[[Any], str | None], form: Any, param: str, code: str) -> None:
    where = f"response_format{param}" if content is chat else f"text.format{param.replace('.json_schema', '')}"
    with pytest.raises(ApiError) as caught:
        content(form)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, where, code)


def test_what_cannot_be_made_is_said() -> None:
    with pytest.raises(ApiError, match="Invalid schema for response_format 'a': the mock cannot do what 'pattern' says"):
        flat({"type": "json_schema", "name": "a", "schema": {"type": "string", "pattern": "x"}})
