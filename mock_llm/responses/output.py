"""What a response says, as its items: one message, or calls of functions."""

from collections.abc import Sequence
from typing import Any

from mock_llm.chat.sayings import LENGTH, Said
from mock_llm.responses.items import History


def output_items(said: Said, key: str) -> list[dict[str, Any]]:
    """`key` ends the items' ids. Where the answer was cut short its last item is incomplete."""
    items = [_call(call.name, call.arguments, f"{key}{index:02d}") for index, call in enumerate(said.calls)]
    items = items or [_message(said.text, key)]
    if said.finish_reason == LENGTH:
        items[-1]["status"] = "incomplete"
    return items


def history_after(history: History, items: Sequence[dict[str, Any]]) -> History:
    """What a turn that follows these items needs to know."""
    texts = [part["text"] for item in items if item["type"] == "message" for part in item["content"]]
    calls = {item["call_id"]: item["name"] for item in items if item["type"] == "function_call"}
    return History(history.words + sum(len(text.split()) for text in texts), history.text, calls)


def _message(text: str, key: str) -> dict[str, Any]:
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    return {"id": f"msg_{key}", "type": "message", "status": "completed", "role": "assistant", "content": [part]}


def _call(name: str, arguments: str, key: str) -> dict[str, Any]:
    ids = {"id": f"fc_{key}", "call_id": f"call_{key}"}
    return {"type": "function_call", "status": "completed", "name": name, "arguments": arguments} | ids
