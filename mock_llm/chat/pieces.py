"""What is said, as JSON in bytes, and cut into the pieces of a stream."""

import json
import re

WORDS_PER_CHUNK = 8
CHARACTERS_PER_CHUNK = 40

_ENCODER = json.JSONEncoder(separators=(",", ":"))


def encode(value: object) -> bytes:
    return _ENCODER.encode(value).encode()


def words_of(text: str) -> list[str]:
    """Each with the white space behind it."""
    return re.findall(r"\S+\s*", text)


def pieces(text: str) -> list[str]:
    """The text cut after every few words, with its white space, so that the pieces joined are the text."""
    words = words_of(text)
    return ["".join(words[start : start + WORDS_PER_CHUNK]) for start in range(0, len(words), WORDS_PER_CHUNK)]
