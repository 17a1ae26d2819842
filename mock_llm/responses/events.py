"""A response as the events of its stream. They have no [DONE] behind them: the last one holds the whole response."""

from collections.abc import Iterator, Sequence
from typing import Any

from mock_llm.chat.pieces import CHARACTERS_PER_CHUNK, encode, pieces
from mock_llm.delivery import Stream

Event = dict[str, Any]


def stream_of(document: dict[str, Any]) -> Stream:
    """Its last event tells the usage, unless the document has none."""
    events = list(_events(document))
    *lines, last = (_encoded(event, number) for number, event in enumerate(events))
    first, behind = _spoken(events)
    tells = document["usage"] is not None
    closing = lines[behind:] if tells else [*lines[behind:], last]
    return Stream(lines[:first], lines[first:behind], closing, last if tells else None, b"")


def _encoded(event: Event, number: int) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), encode(event | {"sequence_number": number}))


def _spoken(events: Sequence[Event]) -> tuple[int, int]:
    """Where the pieces of what is said begin, and the place behind the last of them."""
    places = [place for place, event in enumerate(events) if event["type"].endswith(".delta")]
    return (places[0], places[-1] + 1) if places else (len(events) - 1, len(events) - 1)


def _events(document: dict[str, Any]) -> Iterator[Event]:
    begun = document | {"status": "in_progress", "completed_at": None, "incomplete_details": None, "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(document["output"]):
        yield from _item_events(item, index)
    yield {"type": f"response.{document['status']}", "response": document}


def _item_events(item: dict[str, Any], index: int) -> Iterator[Event]:
    place = {"item_id": item["id"], "output_index": index}
    begun: dict[str, Any] = {"content": []} if item["type"] == "message" else {"arguments": ""}
    yield {"type": "response.output_item.added", "output_index": index, "item": item | begun | {"status": "in_progress"}}
    yield from _text_events(item, place) if item["type"] == "message" else _call_events(item, place)
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _text_events(item: dict[str, Any], place: Event) -> Iterator[Event]:
    place = place | {"content_index": 0}
    (part,) = item["content"]
    yield {"type": "response.content_part.added", **place, "part": part | {"text": ""}}
    for piece in pieces(part["text"]):
        yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": part}


def _call_events(item: dict[str, Any], place: Event) -> Iterator[Event]:
    arguments = item["arguments"]
    for start in range(0, len(arguments), CHARACTERS_PER_CHUNK):
        piece = arguments[start : start + CHARACTERS_PER_CHUNK]
        yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
    yield {"type": "response.function_call_arguments.done", **place, "arguments": arguments}
