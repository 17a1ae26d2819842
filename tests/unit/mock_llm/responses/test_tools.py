from typing import Any

import pytest

from mock_llm.chat.tools import NO_TOOLS, Tool, Toolbox
from mock_llm.errors import ApiError
from mock_llm.responses.tools import HOSTED, read_flat_toolbox


def function(name: str = "search", **members: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, **members}


SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}}}


@pytest.mark.parametrize(
    "asked", [{}, {"tools": None}, {"tools": []}, {"tools": [], "tool_choice": "auto"}, {"tool_choice": "none"}]
)
def test_a_request_without_tools_may_repeat_the_defaults(asked: dict[str, Any]) -> None:
    assert read_flat_toolbox(asked) == NO_TOOLS


def test_a_flat_function_is_a_tool() -> None:
    asked = {"tools": [function(parameters=SCHEMA, strict=True, description=None)], "parallel_tool_calls": False}
    assert read_flat_toolbox(asked) == Toolbox((Tool("search", "query", SCHEMA),), "auto", parallel=False)


def test_the_choice_is_respected() -> None:
    tools = [function("one"), function("two")]
    both = (Tool("one", None), Tool("two", None))
    for choice in ("none", "auto", "required"):
        assert read_flat_toolbox({"tools": tools, "tool_choice": choice}) == Toolbox(both, choice)
    assert read_flat_toolbox({"tools": tools, "tool_choice": function("two")}) == Toolbox(both[1:], "required")
    assert read_flat_toolbox({"tools": tools, "tool_choice": {"type": "allowed_tools"}}) == Toolbox(both)


@pytest.mark.parametrize("kind", HOSTED)
def test_what_a_provider_runs_itself_is_accepted_and_never_called(kind: str) -> None:
    asked: dict[str, Any] = {
        "tools": [{"type": kind}, function(), {"type": "custom", "name": "shell"}],
        "tool_choice": {"type": kind},
    }
    assert read_flat_toolbox(asked) == Toolbox((Tool("search", None),))


@pytest.mark.parametrize(
    ("asked", "param", "code", "message"),
    [
        ({"tools": {}}, "tools", "invalid_type", "expected an array of objects"),
        ({"tools": ["x"]}, "tools[0]", "invalid_type", "expected an object"),
        ({"tools": [{}]}, "tools[0].type", "missing_required_parameter", "'tools[0].type'"),
        ({"tools": [{"type": "x"}]}, "tools[0].type", "invalid_value", "'function', 'custom', 'file_search'"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "missing_required_parameter", "parameter: 'tools[0].name'."),
        ({"tools": [{"type": "custom"}]}, "tools[0].name", "missing_required_parameter", "parameter: 'tools[0].name'."),
        ({"tools": [function("a b")]}, "tools[0].name", "invalid_value", "Invalid 'tools[0].name'"),
        ({"tools": [function(parameters=1)]}, "tools[0].parameters", "invalid_type", "'tools[0].parameters'"),
        ({"tools": [function()] * 129}, "tools", "array_above_max_length", "maximum length 128"),
        ({"tool_choice": "required"}, "tool_choice", None, "only allowed when 'tools' are specified"),
        ({"tools": [], "tool_choice": function()}, "tool_choice", None, "only allowed when 'tools' are specified"),
        ({"tools": [function()], "tool_choice": {"type": "function"}}, "tool_choice.name", "missing_required_parameter", ""),
        ({"tools": [function()], "tool_choice": function("find")}, "tool_choice", None, "no function named 'find'"),
        ({"tools": [function()], "tool_choice": "any"}, "tool_choice", "invalid_value", "'none', 'auto', and 'required'"),
    ],
)
def test_a_wrong_tool_is_refused_in_the_words_of_this_api(
    asked: dict[str, Any], param: str, code: str | None, message: str
) -> None:
    with pytest.raises(ApiError) as caught:
        read_flat_toolbox(asked)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)
    assert message in caught.value.message
