import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage

from agents.conversation import NOT_ANSWERED, complete, said, without_last_question
from agents.outcomes import Meter, ToolCall, ToolsCalled
from tests.unit.agents.doubles import answered, tools_called


def calling(*ids: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "oracle", "args": {}, "id": each} for each in ids])


def shown(messages: list[AnyMessage]) -> list[tuple[str, object]]:
    return [(message.type, getattr(message, "tool_call_id", message.content)) for message in messages]


def test_an_answer_joins_the_conversation_with_its_usage() -> None:
    message = said(answered("Hello."))
    assert (message.content, message.tool_calls) == ("Hello.", [])
    assert message.usage_metadata == {"input_tokens": 13, "output_tokens": 700, "total_tokens": 713}


def test_tool_calls_join_it_with_their_arguments() -> None:
    message = said(tools_called("oracle", "web", text="Let me ask."))
    assert message.content == "Let me ask."
    assert [(call["id"], call["name"], call["args"]) for call in message.tool_calls] == [
        ("call-0", "oracle", {"message": "hi"}),
        ("call-1", "web", {"message": "hi"}),
    ]


@pytest.mark.parametrize("arguments", ["", "{", "[1]", "7", "null", "[" * 100_000])
def test_arguments_that_are_no_object_are_none(arguments: str) -> None:
    message = said(ToolsCalled("", (ToolCall("1", "oracle", arguments),), None, Meter()))
    assert [call["args"] for call in message.tool_calls] == [{}]
    assert message.usage_metadata is None


def test_a_conversation_that_is_complete_stays_as_it_is() -> None:
    messages: list[AnyMessage] = [HumanMessage("q"), calling("1"), ToolMessage("a", tool_call_id="1"), AIMessage("so")]
    assert complete(messages) == messages


def test_a_call_without_an_answer_gets_one_that_says_so() -> None:
    completed = complete([HumanMessage("q"), calling("1", "2"), ToolMessage("a", tool_call_id="2"), HumanMessage("next")])
    assert shown(completed) == [("human", "q"), ("ai", ""), ("tool", "1"), ("tool", "2"), ("human", "next")]
    assert [message.content for message in completed if isinstance(message, ToolMessage)] == [NOT_ANSWERED, "a"]
    assert getattr(completed[2], "name", None) == "oracle"


def test_an_answer_stands_right_after_its_call_wherever_it_was_kept() -> None:
    answer = ToolMessage("a", tool_call_id="1")
    completed = complete([HumanMessage("q"), calling("1"), HumanMessage("continue"), answer])
    assert shown(completed) == [("human", "q"), ("ai", ""), ("tool", "1"), ("human", "continue")]


def test_ids_that_come_again_with_each_message_are_answered_by_what_came_after_it() -> None:
    def answer(text: str) -> ToolMessage:
        return ToolMessage(text, tool_call_id="1")

    once: list[AnyMessage] = [
        HumanMessage("q1"),
        calling("1"),
        answer("first"),
        calling("1"),
        answer("second"),
        AIMessage("so"),
        HumanMessage("q2"),
        calling("1"),
    ]
    completed = complete(once)
    assert [each.content for each in completed if isinstance(each, ToolMessage)] == ["first", "second", NOT_ANSWERED]


def test_an_answer_to_no_call_is_left_out() -> None:
    assert shown(complete([HumanMessage("q"), ToolMessage("a", tool_call_id="9")])) == [("human", "q")]


def test_the_last_question_goes_with_all_that_came_of_it() -> None:
    messages: list[AnyMessage] = [
        SystemMessage("s", id="0"),
        HumanMessage("q1", id="1"),
        AIMessage("a1", id="2"),
        HumanMessage("q2", id="3"),
        AIMessage("", id="4"),
        ToolMessage("t", tool_call_id="x", id="5"),
    ]
    assert [remove.id for remove in without_last_question(messages)] == ["3", "4", "5"]


@pytest.mark.parametrize("messages", [[], [AIMessage("a", id="1")]])
def test_without_a_question_nothing_goes(messages: list[AnyMessage]) -> None:
    assert without_last_question(messages) == []
