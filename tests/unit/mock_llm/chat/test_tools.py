from typing import Any

import pytest

from mock_llm.chat.tools import NO_TOOLS, Tool, Toolbox, read_toolbox
from mock_llm.errors import ApiError


def function(name: str = "search", **members: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **members}}


def taking(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


STRING = {"type": "string"}


def test_a_request_without_tools_offers_none() -> None:
    assert read_toolbox({}) == read_toolbox({"tools": None, "tool_choice": None}) == NO_TOOLS


@pytest.mark.parametrize(
    ("schema", "argument"),
    [
        (None, None),
        ({}, None),
        (taking(), None),
        ({"type": "object", "properties": None}, None),
        (taking(count={"type": "integer"}), None),
        (taking(count={"type": "integer"}, topic=STRING, place=STRING), "topic"),
        (taking(topic={"type": ["string", "null"]}), "topic"),
        (taking(topic=STRING, query=STRING), "query"),
        (taking(query=STRING, message=STRING), "message"),
        (taking(query=STRING, message={"type": "integer"}), "query"),
        (taking(topic=True), None),
        (taking(unit={"type": "string", "enum": ["c", "f"]}, day=STRING | {"format": "date"}, place=STRING), "place"),
    ],
)
def test_the_users_text_goes_to_message_else_query_else_the_first_string(schema: Any, argument: str | None) -> None:
    assert read_toolbox({"tools": [function(parameters=schema)]}) == Toolbox((Tool("search", argument, schema or {}),))


def test_a_custom_tool_is_accepted_and_not_offered_to_the_script() -> None:
    assert read_toolbox({"tools": [{"type": "custom", "custom": {"name": "shell"}}, function()]}).tools == (
        Tool("search", None),
    )


def test_the_choice_is_respected() -> None:
    tools = [function("one"), function("two")]
    both = (Tool("one", None), Tool("two", None))
    for choice in ("none", "auto", "required"):
        assert read_toolbox({"tools": tools, "tool_choice": choice}) == Toolbox(both, choice)
    assert read_toolbox({"tools": tools, "tool_choice": function("two")}) == Toolbox(both[1:], "required")
    assert read_toolbox({"tools": tools, "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}) == Toolbox(both)
    assert read_toolbox({"tools": tools, "parallel_tool_calls": False}) == Toolbox(both, parallel=False)
    allowed = {"tools": tools, "tool_choice": {"type": "allowed_tools"}, "parallel_tool_calls": False}
    assert read_toolbox(allowed) == Toolbox(both, parallel=False)
    assert read_toolbox({"tools": tools, "parallel_tool_calls": None}) == Toolbox(both)


@pytest.mark.parametrize(
    ("asked", "param", "code", "message"),
    [
        ({"tools": {}}, "tools", "invalid_type", "Invalid type for 'tools': expected an array of objects, but got an object"),
        ({"tools": []}, "tools", "empty_array", "Invalid 'tools': empty array. Expected an array with minimum length 1"),
        ({"tools": [function()] * 129}, "tools", "array_above_max_length", "Expected an array with maximum length 128"),
        ({"tools": ["x"]}, "tools[0]", "invalid_type", "expected an object"),
        ({"tools": [{}]}, "tools[0].type", "missing_required_parameter", "Missing required parameter: 'tools[0].type'."),
        ({"tools": [{"type": "x"}]}, "tools[0].type", "invalid_value", "Invalid value: 'x'. Supported values are: 'function'"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter", "'tools[0].function'"),
        (
            {"tools": [{"type": "function", "function": {}}]},
            "tools[0].function.name",
            "missing_required_parameter",
            "Missing required parameter: 'tools[0].function.name'.",
        ),
        (
            {"tools": [function("a b")]},
            "tools[0].function.name",
            "invalid_value",
            "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
        ),
        ({"tools": [function("")]}, "tools[0].function.name", "invalid_value", "does not match pattern"),
        ({"tools": [function("a\n")]}, "tools[0].function.name", "invalid_value", "does not match pattern"),
        (
            {"tools": [function("a" * 65)]},
            "tools[0].function.name",
            "string_above_max_length",
            "but got a string with length 65",
        ),
        ({"tools": [function(parameters="x")]}, "tools[0].function.parameters", "invalid_type", "expected an object"),
        (
            {"tools": [function(parameters={"type": "string"})]},
            "tools[0].function.parameters",
            "invalid_function_parameters",
            "Invalid schema for function 'search': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"string\"'.",
        ),
        ({"tool_choice": "none"}, "tool_choice", None, "'tool_choice' is only allowed when 'tools' are specified."),
        ({"tools": [function()], "tool_choice": 1}, "tool_choice", "invalid_type", "expected a string or an object"),
        ({"tools": [function()], "tool_choice": "any"}, "tool_choice", "invalid_value", "'none', 'auto', and 'required'"),
        ({"tools": [function()], "tool_choice": {}}, "tool_choice.type", "missing_required_parameter", "tool_choice.type"),
        ({"tools": [function()], "tool_choice": {"type": "x"}}, "tool_choice.type", "invalid_value", "Supported values"),
        (
            {"tools": [function()], "tool_choice": function("find")},
            "tool_choice",
            None,
            "no function named 'find' was specified in the 'tools' parameter.",
        ),
        ({"tools": [function()], "parallel_tool_calls": 1}, "parallel_tool_calls", "invalid_type", "expected a boolean"),
    ],
)
def test_a_wrong_tool_is_refused_in_openais_words(asked: dict[str, Any], param: str, code: str | None, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_toolbox(asked)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)
    assert message in caught.value.message


def test_as_many_tools_and_as_long_a_name_as_openai_takes() -> None:
    assert len(read_toolbox({"tools": [function("a" * 64)] * 128}).tools) == 128
