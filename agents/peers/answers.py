"""What a peer's task came to: in words for the LLM, and what it used."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
from a2a.helpers import get_artifact_text, get_data_parts, get_message_text
from a2a.types import Message, Part, Task, TaskState
from a2a.utils.errors import A2AError
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from agents.extension import URI
from agents.llm.classify import read_moment
from agents.moments import clock
from agents.usage import NOTHING, Usage, UsageTree, tokens

log = logging.getLogger(__name__)

LONGEST_TEXT = 64 * 1024
"""Characters of an answer; the LLM pays for each of them."""

LONGEST_QUOTE = 400

REASONS = {
    TaskState.TASK_STATE_REJECTED: "refused the task",
    TaskState.TASK_STATE_CANCELED: "was stopped before it had answered",
    TaskState.TASK_STATE_INPUT_REQUIRED: "asks back before it answers; call it again with all that it needs",
    TaskState.TASK_STATE_AUTH_REQUIRED: "wants someone to sign in, which this agent cannot do",
}

KAGENT_USAGE = "kagent_usage_metadata"


def text_of_message(message: Message) -> str:
    return _cut(get_message_text(message))


def text_of_task(name: str, task: Task) -> str:
    """A sentence in place of the answer where there is none, with what the peer said of the reason."""
    status = get_message_text(task.status.message)
    match task.status.state:
        case TaskState.TASK_STATE_COMPLETED:
            return _cut(_artifacts(task) or status) or f"{name} has finished, but answered without a text."
        case TaskState.TASK_STATE_FAILED:
            return _failed(name, task, status)
        case state:
            return f"{name} {REASONS.get(state, 'has not answered')}{_said(status)}"


def text_of_error(name: str, error: Exception) -> str:
    """Quotes what the peer said, never an address: the reader is an LLM, and then a user."""
    cause = error.__cause__ or error
    match cause:
        case httpx.HTTPStatusError():
            return f"{name} could not be asked: it answered HTTP {cause.response.status_code}."
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return f"{name} could not be reached. Answer without it, or try again later."
        case httpx.TransportError() | ConnectionError():
            return f"{name} hung up before it had answered. Answer without it, or try again later."
        case A2AError():
            return f"{name} refused the call{_said(str(error))}"
        case _:
            return f"{name} answered something that this agent cannot read."


def is_spent(task: Task) -> bool:
    """Whether it failed for its team's budget: asked again, it would fail again."""
    return task.status.state == TaskState.TASK_STATE_FAILED and _budget(task.status.message.parts) is not None


def _artifacts(task: Task) -> str:
    """The parts of one artifact may be pieces of one text as it was streamed, so nothing comes between them."""
    return "\n".join(filter(None, (get_artifact_text(artifact, "") for artifact in task.artifacts)))


def _failed(name: str, task: Task, status: str) -> str:
    budget = _budget(task.status.message.parts)
    if budget is None:
        return f"{name} failed{_said(status)}"
    spent = f"{name} could not answer: its team's budget is spent ({_of(budget)}); {_reset(budget)}."
    partial = _artifacts(task)
    return f"{spent} Until then it had written:\n{_cut(partial)}" if partial else spent


def _budget(parts: Sequence[Part]) -> Mapping[str, Any] | None:
    told = [data.get("budget") for data in get_data_parts(parts) if isinstance(data, dict)]
    return next((budget for budget in told if isinstance(budget, dict)), None)


def _of(budget: Mapping[str, Any]) -> str:
    unit, known = _line(budget.get("unit")) or "tokens", _line(budget.get("id"))
    amount = f"{tokens(budget.get('used')):,} of {tokens(budget.get('limit')):,} {unit}"
    return f"{known}: {amount}" if known else amount


def _reset(budget: Mapping[str, Any]) -> str:
    at = read_moment(budget.get("reset_at"))
    return f"it resets at {clock(at, datetime.now(UTC))}" if at else "it did not say when it resets"


def _said(text: str) -> str:
    quoted = " ".join(text.split())
    if not quoted:
        return "."
    return f": {quoted}" if len(quoted) <= LONGEST_QUOTE else f": {quoted[:LONGEST_QUOTE]}..."


def _line(value: object) -> str:
    return "".join(filter(str.isprintable, value[:100])) if isinstance(value, str) else ""


def _cut(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]}\n(Cut here: the answer had {len(text):,} characters.)"


def read_usage(name: str, metadata: Struct) -> UsageTree | None:
    """The extension's tree, else what kagent's agents say of their own calls; None where the peer said nothing."""
    try:
        said = MessageToDict(metadata)
    # A number that JSON does not have, a nesting without end: the answer is still worth having.
    except Exception as error:
        log.warning("What agent %s says that it used cannot be read: %.300r", name, error)
        return None
    extension = said.get(URI)
    tree = UsageTree.read(extension.get("usage")) if isinstance(extension, Mapping) else None
    if tree is not None or not isinstance(said.get(KAGENT_USAGE), Mapping):
        return tree
    prompt, completion, total = (
        tokens(said[KAGENT_USAGE].get(key)) for key in ("promptTokenCount", "candidatesTokenCount", "totalTokenCount")
    )
    tree = UsageTree(name)
    tree.count(Usage(prompt, completion, total or prompt + completion))
    return tree


def kagent_usage(tree: UsageTree) -> dict[str, int]:
    """The whole tree in the three numbers that kagent's UI shows."""
    used = _sum(tree)
    return {
        "promptTokenCount": used.prompt,
        "candidatesTokenCount": used.completion,
        "totalTokenCount": used.total,
    }


def _sum(tree: UsageTree) -> Usage:
    return sum((_sum(peer) for peer in tree.peers), NOTHING) + tree.own
