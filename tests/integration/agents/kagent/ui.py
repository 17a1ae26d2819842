"""kagent's UI, as far as it decides what its user sees: live from the events, and after a reload from what was pushed."""

from collections.abc import Iterable, Mapping
from typing import Any

USAGE = "kagent_usage_metadata"


class Screen:
    """What is shown of a stream. `bubble` is what is being written, `shown` the messages and tool calls below one another."""

    def __init__(self) -> None:
        self.bubble = ""
        self.shown: list[object] = []
        self.tokens = 0
        self.ready = False
        self._counted: object = None

    def see(self, event: Mapping[str, Any]) -> None:
        self._count(event.get("metadata", {}).get(USAGE))
        match event["kind"]:
            case "status-update":
                self._see_status(event)
            case "artifact-update" if event.get("lastChunk"):
                self._show(_text(event["artifact"]["parts"]))

    def _see_status(self, event: Mapping[str, Any]) -> None:
        parts = event["status"].get("message", {"parts": []})["parts"]
        if event["final"]:
            self._show(_text(parts))
            self.ready = True
            return
        for part in parts:
            kind = part.get("metadata", {}).get("kagent_type")
            if part["kind"] == "data" and kind:
                self.shown.append({kind: part["data"]})
        self.bubble += _text(parts)

    def _show(self, text: str) -> None:
        self.bubble = ""
        if text:
            self.shown.append(text)

    def _count(self, usage: Mapping[str, float] | None) -> None:
        """The same numbers twice in a row count once."""
        if usage and usage != self._counted:
            self.tokens += int(usage["totalTokenCount"])
        self._counted = usage or self._counted


def history(tasks: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Who said what, by the only thing that is read of a pushed task."""
    said = [(message["role"], _text(message["parts"])) for message in _messages(tasks)]
    return [(role, text) for role, text in said if text]


def tokens(tasks: Iterable[Mapping[str, Any]]) -> int:
    """The session's total: what the agent's messages used, and what the agents used that it called."""
    total = 0.0
    for message in _messages(tasks):
        if message["role"] == "user":
            continue
        responses = [part["data"].get("response", {}) for part in message["parts"] if part["kind"] == "data"]
        for said in (message.get("metadata", {}), *responses):
            total += said.get(USAGE, {}).get("totalTokenCount", 0)
    return int(total)


def is_blocked(tasks: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the user's next message is held back."""
    return any(task["status"]["state"] in ("submitted", "working", "input-required") for task in tasks)


def _messages(tasks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [message for task in tasks for message in task["history"] if message["kind"] == "message"]


def _text(parts: Iterable[Mapping[str, Any]]) -> str:
    return "".join(part["text"] for part in parts if part["kind"] == "text")
