from typing import Any

from mock_llm.chat.sayings import LENGTH, STOP, TOOL_CALLS, Said
from mock_llm.chat.tool_calls import ToolCall
from mock_llm.responses.answer import Answer
from mock_llm.responses.items import History
from mock_llm.responses.output import history_after, output_items
from mock_llm.usage import Usage

TEXT = Said("one two three", (), STOP, 9)
CALLS = Said("", (ToolCall("search", '{"a": 1}'), ToolCall("find", "{}")), TOOL_CALLS, 40)
MESSAGE = {
    "id": "msg_f00",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": "one two three"}],
}
FIRST = {
    "id": "fc_f0000",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_f0000",
    "name": "search",
    "arguments": '{"a": 1}',
}


def document(asked: dict[str, Any], usage: Usage | None = None, is_cut: bool = False) -> dict[str, Any]:
    return Answer("f00", 1234, "gpt-4o", output_items(TEXT, "f00"), usage, is_cut).document(asked)


def test_a_text_is_a_message_and_each_call_an_item() -> None:
    assert output_items(TEXT, "f00") == [MESSAGE]
    first, second = output_items(CALLS, "f00")
    assert first == FIRST
    assert (second["id"], second["call_id"], second["name"]) == ("fc_f0001", "call_f0001", "find")


def test_the_last_item_of_what_was_cut_is_incomplete() -> None:
    assert [item["status"] for item in output_items(CALLS._replace(finish_reason=LENGTH), "f00")] == ["completed", "incomplete"]


def test_the_next_turn_knows_what_was_said_and_called() -> None:
    history = History(5, "before", {"old": "answered"})
    assert history_after(history, output_items(TEXT, "f00")) == History(8, "before", {})
    calls = {"call_f0000": "search", "call_f0001": "find"}
    assert history_after(history, output_items(CALLS, "f00")) == History(5, "before", calls)


def test_a_document_tells_what_was_said_and_used() -> None:
    told = document({"input": "hello"}, Usage(5, 9, 2))
    assert (told["id"], told["object"], told["created_at"], told["model"]) == ("resp_f00", "response", 1234, "gpt-4o")
    assert (told["status"], told["completed_at"], told["incomplete_details"]) == ("completed", 1234, None)
    assert told["output"] == [MESSAGE]
    assert told["usage"] == {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 14,
    }
    # The faults halve a document, and no half of it may tell a usage.
    assert list(told)[-1] == "usage"


def test_an_incomplete_document_says_why() -> None:
    told = document({"input": "hello"}, is_cut=True)
    assert (told["status"], told["completed_at"]) == ("incomplete", None)
    assert told["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_document_repeats_the_request_with_defaults_for_the_rest() -> None:
    plain = document({"input": "hello", "temperature": None, "unknown": 1})
    assert (plain["temperature"], plain["top_p"], plain["tools"], plain["tool_choice"]) == (1.0, 1.0, [], "auto")
    assert (plain["metadata"], plain["store"], plain["truncation"]) == ({}, True, "disabled")
    assert plain["text"] == {"format": {"type": "text"}, "verbosity": "medium"}
    assert "unknown" not in plain
    said = {"instructions": "be brief", "temperature": 0, "metadata": {"a": "b"}, "store": False, "parallel_tool_calls": False}
    assert document({"input": "hello"} | said).items() >= said.items()
    tools = [{"type": "function", "name": "search", "strict": False}, {"type": "web_search"}]
    assert document({"tools": tools})["tools"] == [
        {"type": "function", "name": "search", "description": None, "parameters": None, "strict": False},
        {"type": "web_search"},
    ]
    assert document({"reasoning": {"effort": "low"}})["reasoning"] == {"effort": "low", "summary": None}


def test_the_other_forms_of_an_answer() -> None:
    answer = Answer("f00", 1234, "gpt-4o", output_items(TEXT, "f00"), Usage(5, 9), is_cut=True)
    assert answer.without_usage().document({})["usage"] is None
    assert answer.without_usage().output == answer.output
    assert answer.empty() == Answer("f00", 1234, "gpt-4o", (), Usage(5, 0), is_cut=False)
