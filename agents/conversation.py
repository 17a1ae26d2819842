"""A conversation as the LLM takes it."""

import json
from collections.abc import Sequence
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
    """Each tool call followed by its answer: a turn that was cut short has left calls without one, which APIs refuse."""
    answers = {message.tool_call_id: message for message in messages if isinstance(message, ToolMessage)}
    completed: list[AnyMessage] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            continue
        completed.append(message)
        for call in message.tool_calls if isinstance(message, AIMessage) else ():
            call_id = str(call["id"])
            completed.append(answers.get(call_id) or ToolMessage(NOT_ANSWERED, tool_call_id=call_id, name=call["name"]))
    return completed


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
