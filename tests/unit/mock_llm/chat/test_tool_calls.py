import json

import pytest

from mock_llm.chat.messages import Conversation
from mock_llm.chat.tool_calls import ToolCall, calls_for, introduction
from mock_llm.chat.tool_messages import ToolResult
from mock_llm.chat.tools import Tool, Toolbox
from mock_llm.errors import ApiError

SUPPORT = Tool("kagent__NS__support_agent", "message")
SEARCH = Tool("search", None)
BOTH = (SUPPORT, SEARCH)
OFFERED = Toolbox(BOTH)


def said(text: str, *results: ToolResult) -> Conversation:
    return Conversation(words=1, text=text, results=results)


def called(text: str, toolbox: Toolbox = OFFERED) -> list[str]:
    return [call.name for call in calls_for(toolbox, said(text))]


@pytest.mark.parametrize(
    "text",
    [
        "ask kagent__NS__support_agent about invoices",
        "ask kagent--NS--support-agent",
        "ask support_agent",
        "ask Support-Agent, please",
        "(support-agent)",
        "what does kagent/support-agent say?",
        "support-agent's view",
        "support-agent- and -agents",
        "ask _support_agent_",
    ],
)
def test_a_tool_is_called_by_its_name_with_hyphens_or_by_what_stands_behind_its_namespace(text: str) -> None:
    assert called(text) == ["kagent__NS__support_agent"]


@pytest.mark.parametrize("text", ["", "ask the support agent", "ask support-agent-2", "ask my_support_agent", "research"])
def test_a_text_that_only_resembles_a_name_calls_nothing(text: str) -> None:
    assert called(text) == []


def test_each_named_tool_is_called_once_in_the_order_of_the_offer() -> None:
    text = "search, then ask support-agent, then search again"
    assert called(text) == ["kagent__NS__support_agent", "search"]
    assert called(text, Toolbox(BOTH, parallel=False)) == ["kagent__NS__support_agent"]


def test_the_choice_forbids_or_requires_a_call() -> None:
    assert called("search", Toolbox(BOTH, "none")) == []
    assert called("search", Toolbox(BOTH, "required")) == ["search"]
    assert called("hello", Toolbox(BOTH, "required")) == ["kagent__NS__support_agent"]


def test_behind_a_result_nothing_is_called_unless_required() -> None:
    conversation = said("search", ToolResult("search", "found"))
    assert tuple(calls_for(Toolbox(BOTH), conversation)) == ()
    assert tuple(calls_for(Toolbox(BOTH, "required"), conversation)) == (ToolCall("search", "{}"),)


def test_the_argument_is_the_users_whole_text() -> None:
    text = 'ask support-agent: "why?" \N{GRINNING FACE}\n'
    (call,) = calls_for(Toolbox(BOTH), said(text))
    assert json.loads(call.arguments) == {"message": text}


def test_the_introduction_quotes_each_result() -> None:
    long = ToolResult("kagent__NS__support_agent", "x" * 300)
    parts = ToolResult("look_up", [{"type": "text", "text": " It is late. "}])
    assert introduction(said("", long, parts, ToolResult("search", ""))) == (
        f"support-agent says: {'x' * 200}. look-up says: It is late. search says nothing."
    )
    assert introduction(said("hello")) == ""


def test_every_other_parameter_that_is_required_gets_what_its_schema_allows() -> None:
    parameters = {
        "type": "object",
        "properties": {
            "unit": {"$ref": "#/$defs/Unit"},
            "city": {"type": "string"},
            "days": {"type": "integer", "minimum": 1},
            "note": {"type": "string"},
        },
        "required": ["city", "days", "unit"],
        "$defs": {"Unit": {"enum": ["c", "f"]}},
    }
    (call,) = calls_for(Toolbox((Tool("weather", "city", parameters),)), said("weather"))
    assert json.loads(call.arguments) == {"city": "weather", "days": 1, "unit": "c"}


def test_a_tool_that_cannot_be_called_is_refused_only_where_it_is_to_be_called() -> None:
    parameters = {"type": "object", "properties": {"code": {"type": "string", "pattern": "x"}}, "required": ["code"]}
    toolbox = Toolbox((Tool("look_up", None, parameters), SEARCH))
    assert called("search", toolbox) == ["search"]
    with pytest.raises(ApiError, match="for function 'look_up': the mock cannot do what 'pattern' says") as caught:
        called("look-up", toolbox)
    assert (caught.value.status, caught.value.param) == (400, "tools")
