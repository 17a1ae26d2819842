"""How long an answer may be. Calls repeat the prompt and replies what tools said, of which a small request may ask for many."""

from collections.abc import Iterable

from mock_llm.chat.pieces import CHARACTERS_PER_CHUNK, WORDS_PER_CHUNK, encode
from mock_llm.chat.tool_calls import ToolCall
from mock_llm.errors import ApiError

MOST_BYTES = 16 << 20
"""Of an answer as it is sent, near enough."""
AROUND_CALL = 200
"""Bytes that a call has beside its arguments, and a text beside its words."""
AROUND_PIECE = 400
"""Bytes that an event of a stream has beside the piece of text in it."""


class Room:
    """What is left for one answer, in each of whose choices a text has so many copies; a stream cuts one into pieces."""

    def __init__(self, choices: int = 1, copies: int = 1, *, streams: bool) -> None:
        self._choices = choices
        self._copies = copies
        self._around_piece = AROUND_PIECE if streams else 0
        self._left = MOST_BYTES

    def holding(self, calls: Iterable[ToolCall]) -> tuple[ToolCall, ...]:
        """All of them, each taken only when those before it have found room. Raises ApiError (400)."""
        held = []
        for call in calls:
            self._take(call.arguments, len(call.arguments) // CHARACTERS_PER_CHUNK + 2, "tools")
            held.append(call)
        return tuple(held)

    def take(self, text: str) -> None:
        """Raises ApiError (400) where the text does not fit."""
        self._take(text, len(text.split()) // WORDS_PER_CHUNK + 1, "messages")

    def _take(self, text: str, pieces: int, param: str) -> None:
        self._left -= self._choices * (self._copies * len(encode(text)) + AROUND_CALL + pieces * self._around_piece)
        if self._left < 0:
            message = (
                f"The answer would be longer than {MOST_BYTES} bytes. Shorten the prompt, or ask for fewer calls and choices."
            )
            raise ApiError(400, message, param, "invalid_value")
