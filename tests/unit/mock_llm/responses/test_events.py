import json
from typing import Any

from mock_llm.chat.sayings import LENGTH, STOP, TOOL_CALLS, Said
from mock_llm.chat.tool_calls import ToolCall
from mock_llm.essays import ESSAYS
from mock_llm.responses.answer import Answer
from mock_llm.responses.events import stream_of
from mock_llm.responses.output import output_items
from mock_llm.usage import Usage

TEXT = Said(ESSAYS[0], (), STOP, 9)
CALLS = Said("", (ToolCall("one", '{"query": "' + "x" * 80 + '"}'), ToolCall("two", "{}")), TOOL_CALLS, 40)


def document(said: Said, usage: Usage | None = Usage(5, 9, 2)) -> dict[str, Any]:  # noqa: B008
    answer = Answer("f00", 1234, "gpt-4o", output_items(said, "f00"), usage, said.finish_reason == LENGTH)
    return answer.document({"input": "hello"})


def parsed(lines: Any) -> list[Any]:
    events = []
    for line in lines:
        kind, data, *rest = line.decode().split("\n")
        assert rest == ["", ""]
        events.append(json.loads(data.removeprefix("data: ")))
        assert kind == f"event: {events[-1]['type']}"
    return events


def events_of(whole: dict[str, Any]) -> list[Any]:
    stream = stream_of(whole)
    assert stream.end == b""
    last = [] if stream.usage is None else [stream.usage]
    return parsed([*stream.opening, *stream.pieces, *stream.closing, *last])


def kinds_of(events: list[Any]) -> list[str]:
    """Without `response.`, and one delta for many."""
    names = [event["type"].removeprefix("response.") for event in events]
    return [name for name, before in zip(names, ["", *names], strict=False) if not (name == before and name.endswith("delta"))]


def test_a_text_is_streamed_in_openais_order() -> None:
    events = events_of(document(TEXT))
    assert kinds_of(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    deltas = [event["delta"] for event in events if event["type"].endswith("delta")]
    assert len(deltas) > 10
    assert "".join(deltas) == ESSAYS[0]
    for event in events[3:-2]:
        assert (event["item_id"], event["output_index"], event["content_index"]) == ("msg_f00", 0, 0)


def test_the_events_add_up_to_the_document() -> None:
    whole = document(TEXT)
    created, in_progress, added, part_added, *_, text_done, part_done, item_done, completed = events_of(whole)
    assert created["response"] == in_progress["response"]
    assert created["response"] == whole | {"status": "in_progress", "completed_at": None, "output": [], "usage": None}
    assert added["item"] == whole["output"][0] | {"content": [], "status": "in_progress"}
    assert part_added["part"] == whole["output"][0]["content"][0] | {"text": ""}
    assert text_done["text"] == part_done["part"]["text"] == ESSAYS[0]
    assert item_done["item"] == whole["output"][0]
    assert completed["response"] == whole


def test_calls_are_streamed_one_behind_the_other() -> None:
    events = events_of(document(CALLS))
    one = ["output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"]
    assert kinds_of(events) == ["created", "in_progress", *one, *one, "completed"]
    for index, call in enumerate(CALLS.calls):
        of_call = [event for event in events if event.get("output_index") == index]
        said = "".join(event["delta"] for event in of_call if event["type"].endswith("delta"))
        assert said == of_call[-2]["arguments"] == of_call[-1]["item"]["arguments"] == call.arguments
        assert of_call[0]["item"] == of_call[-1]["item"] | {"arguments": "", "status": "in_progress"}
        assert {event["item_id"] for event in of_call[1:-1]} == {of_call[0]["item"]["id"]}


def test_what_was_cut_ends_as_incomplete() -> None:
    whole = document(TEXT._replace(finish_reason=LENGTH))
    created, *_, item_done, last = events_of(whole)
    assert created["response"]["incomplete_details"] is None
    assert item_done["item"]["status"] == "incomplete"
    assert last["type"] == "response.incomplete"
    assert last["response"] == whole


def test_the_last_event_tells_the_usage_and_nothing_does_where_there_is_none() -> None:
    told = stream_of(document(TEXT))
    assert told.usage is not None
    assert parsed([told.usage])[0]["response"]["usage"]["total_tokens"] == 14
    silent = stream_of(document(TEXT, None))
    assert silent.usage is None
    (last,) = parsed([silent.closing[-1]])
    assert (last["type"], last["response"]["usage"]) == ("response.completed", None)


def test_the_pieces_are_what_is_said() -> None:
    text = stream_of(document(TEXT))
    assert {event["type"] for event in parsed(text.pieces)} == {"response.output_text.delta"}
    calls = parsed(stream_of(document(CALLS)).pieces)
    assert calls[0]["type"] == calls[-1]["type"] == "response.function_call_arguments.delta"
    assert {call["output_index"] for call in calls} == {0, 1}


def test_an_empty_response_begins_and_ends() -> None:
    answer = Answer("f00", 1234, "gpt-4o", output_items(TEXT, "f00"), Usage(5, 9), is_cut=True).empty()
    events = events_of(answer.document({"input": "hello"}))
    assert kinds_of(events) == ["created", "in_progress", "completed"]
    assert events[-1]["response"]["output"] == []
    assert events[-1]["response"]["usage"]["total_tokens"] == 5
