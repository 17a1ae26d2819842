"""A conversation as the LLM takes it."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage, ToolCall, ToolMessage

from agents.outcomes import Answered, ToolsCalled
from agents.usage import Usage

NOT_ANSWERED = "This call was interrupted before it was answered. Make it again if its answer is still needed."


def said(outcome: Answered | ToolsCalled) -> AIMessage:
    calls = outcome.calls if isinstance(outcome, ToolsCalled) else ()
    return AIMessage(
        outcome.text,
        tool_calls=[ToolCall(name=call.name, args=_arguments(call.arguments), id=call.call_id) for call in calls],
        usage_metadata=_usage(outcome.usage),
    )


def complete(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """Each tool call followed by its answer: a turn that was cut short has left calls without one, which APIs refuse.

    Ids are unique in one message only: some models begin anew with each.
    """
    completed: list[AnyMessage] = []
    for index, message in enumerate(messages):
        if isinstance(message, ToolMessage):
            continue
        completed.append(message)
        if isinstance(message, AIMessage) and message.tool_calls:
            answers = {answer.tool_call_id: answer for answer in _until_the_next(messages[index + 1 :])}
            for call in message.tool_calls:
                missing = ToolMessage(NOT_ANSWERED, tool_call_id=str(call["id"]), name=call["name"])
                completed.append(answers.get(str(call["id"]), missing))
    return completed


def _until_the_next(messages: Sequence[AnyMessage]) -> Iterator[ToolMessage]:
    for message in messages:
        if isinstance(message, AIMessage):
            return
        if isinstance(message, ToolMessage):
            yield message


def without_last_question(messages: Sequence[AnyMessage]) -> list[RemoveMessage]:
    """Takes the last thing that the user said out of a conversation, and all that came of it."""
    start = max((index for index, message in enumerate(messages) if isinstance(message, HumanMessage)), default=len(messages))
    return [RemoveMessage(id=message.id) for message in messages[start:] if message.id]


def _arguments(text: str) -> dict[str, Any]:
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _usage(usage: Usage | None) -> Any:
    if usage is None:
        return None
    return {"input_tokens": usage.prompt, "output_tokens": usage.completion, "total_tokens": usage.total}
