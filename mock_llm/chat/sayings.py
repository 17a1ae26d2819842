"""What the assistant says: an essay, one behind what a tool said, JSON, or calls of tools; whole, or cut where it has to be."""

from typing import NamedTuple

from mock_llm.chat.pieces import words_of
from mock_llm.chat.request import ChatRequest
from mock_llm.chat.tool_calls import ToolCall
from mock_llm.essays import ESSAYS
from mock_llm.mock import Turn

TOKENS_PER_CALL = 20

STOP = "stop"
LENGTH = "length"
TOOL_CALLS = "tool_calls"


class Said(NamedTuple):
    """One choice of an answer: a text, or calls. `tokens` are what it claims to be, never more than the request allows."""

    text: str
    calls: tuple[ToolCall, ...]
    finish_reason: str
    tokens: int


def say(asked: ChatRequest, turn: Turn) -> tuple[Said, ...]:
    """As many as the turn has choices."""
    say_one = _call_tools if asked.calls else _speak
    choices = len(turn.draw.choices)
    return (say_one(asked, turn, 0),) if choices == 1 else tuple(say_one(asked, turn, choice) for choice in range(choices))


def _speak(asked: ChatRequest, turn: Turn, choice: int) -> Said:
    essay = ESSAYS[turn.draw.choices[choice].essay]
    whole = turn.tokens(choice)
    tokens = whole if asked.max_tokens is None else min(whole, asked.max_tokens)
    text = f"{asked.introduction}\n\n{essay}" if asked.introduction else essay
    if asked.content is not None:
        text = asked.content
    words = words_of(text) if asked.stop or tokens < whole else []
    said = "".join(words[: max(1, len(words) * tokens // whole)]) if tokens < whole else text
    stops = [position for position in map(said.find, asked.stop) if position >= 0]
    if not stops:
        return Said(said, (), LENGTH if tokens < whole else STOP, tokens)
    said = said[: min(stops)]
    if not turn.is_exact:
        tokens = max(1, whole * len(words_of(said)) // len(words))
    return Said(said, (), STOP, tokens)


def _call_tools(asked: ChatRequest, turn: Turn, choice: int) -> Said:
    """Where there are too few tokens the last call's arguments break off, and calls behind it are missing, as with OpenAI."""
    calls = asked.calls
    whole = turn.tokens(choice) if turn.is_exact else TOKENS_PER_CALL * len(calls)
    tokens = whole if asked.max_tokens is None else min(whole, asked.max_tokens)
    if tokens == whole:
        return Said("", calls, TOOL_CALLS, tokens)
    said = []
    for index, call in enumerate(calls):
        # In parts of a whole-th of a call, of which each call has `whole`.
        share = min(whole, tokens * len(calls) - whole * index)
        if share > 0:
            said.append(ToolCall(call.name, call.arguments[: len(call.arguments) * share // whole]))
    return Said("", tuple(said), LENGTH, tokens)
