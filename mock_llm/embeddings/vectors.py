"""Vectors of length 1: the same text has the same vector, and texts that share words are nearer than those that share none."""

import base64
import math
import sys
from array import array
from hashlib import blake2b

PLACES_PER_WORD = 8


def vector(text: str, dimensions: int) -> "array[float]":
    """As 32-bit floats. Each word adds 1 to some places and takes 1 from others; which they are is its hash."""
    places = array("f", bytes(4 * dimensions))
    for word in text.lower().split():
        digest = blake2b(word.encode(), digest_size=4 * PLACES_PER_WORD).digest()
        for start in range(0, len(digest), 4):
            number = int.from_bytes(digest[start : start + 4], "little")
            places[(number >> 1) % dimensions] += 1 if number & 1 else -1
    length = math.sqrt(math.fsum(place * place for place in places))
    if not length:
        # No words, or words that cancel each other out.
        places[0] = length = 1
    return array("f", [place / length for place in places])


def in_base64(numbers: "array[float]") -> str:
    """Of the little-endian bytes, as OpenAI sends them."""
    if sys.byteorder != "little":
        numbers = array("f", numbers)
        numbers.byteswap()
    return base64.b64encode(numbers).decode()
