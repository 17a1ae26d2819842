"""How many tokens an answer claims to be: asked for by headers, fixed by the list of models, or drawn from a range."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from mock_llm.errors import ApiError

PROMPT_HEADER = b"x-mock-prompt-tokens"
COMPLETION_HEADER = b"x-mock-completion-tokens"
CACHED_HEADER = b"x-mock-cached-tokens"
MOST_TOKENS = 10_000_000
_COUNT = re.compile(rb"[0-9]{1,8}")


class Usage(NamedTuple):
    """The cached tokens are part of the prompt's."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


class TokenRange(NamedTuple):
    """Both ends belong to it; a range of one number is fixed."""

    fewest: int
    most: int

    def __str__(self) -> str:
        return f"{self.fewest}..{self.most}"

    @property
    def is_fixed(self) -> bool:
        return self.fewest == self.most


class Asked(NamedTuple):
    """What a request's headers fix. `completion_tokens` are those of all its choices together."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None


NOTHING_ASKED = Asked()


def asked_usage(headers: Mapping[bytes, bytes]) -> Asked:
    """Raises ApiError (400) that names the header with a wrong value."""
    if PROMPT_HEADER not in headers and COMPLETION_HEADER not in headers and CACHED_HEADER not in headers:
        return NOTHING_ASKED
    return Asked(_count(headers, PROMPT_HEADER), _count(headers, COMPLETION_HEADER), _count(headers, CACHED_HEADER))


def _count(headers: Mapping[bytes, bytes], name: bytes) -> int | None:
    value = headers.get(name)
    if value is None:
        return None
    if _COUNT.fullmatch(value) is None or int(value) > MOST_TOKENS:
        header = name.decode()
        message = f"Invalid value in the header {header}: write a whole number of tokens from 0 to {MOST_TOKENS}."
        raise ApiError(400, message, header, "invalid_value")
    return int(value)
