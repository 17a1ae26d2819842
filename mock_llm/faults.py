"""The faults that the mock plays on purpose, and which request gets one.

* rate_limited: 429 `rate_limit_exceeded`, with `retry-after: 0`. A gateway in between may overwrite its x-ratelimit headers.
* server_error: 500.
* overloaded: 503, with `retry-after: 1`.
* timeout: no byte of an answer until the client leaves; after ten minutes the connection is closed.
* reset: the connection is reset (TCP RST) before any byte.
* cut: the connection is closed in the middle of a stream, or of a JSON body whose length had been announced.
* malformed: 200 with half of a JSON document; a stream ends with half of an event's JSON.
* no_usage: a good answer that lacks its usage.
* empty: 200 with no choices; the usage is the prompt's, and is reported.

Asked for by the header `x-mock-fault: <name>`, by the words `fault:<name>` in the last user message, or by chance
(MOCK_LLM_FAULT_RATES); the header comes first. With a count, as in `fault:reset*2`, only the first two requests of one caller
with that message (with that header, where the header asks) get it, so that a retry is seen to help. Only usage that was
reported enters the ledger: of these faults that is `empty` alone.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from enum import StrEnum
from hashlib import blake2b
from random import Random
from typing import NamedTuple

from mock_llm.errors import ApiError
from mock_llm.ledger.ledger import Account, Caller

HEADER = b"x-mock-fault"
_SPELLED = HEADER.decode()
MOST_COUNTED = 10_000
"""Requests with a count that are remembered; of more, the one not seen for longest starts anew."""


class Fault(StrEnum):
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    RESET = "reset"
    CUT = "cut"
    MALFORMED = "malformed"
    NO_USAGE = "no_usage"
    EMPTY = "empty"


NAMES = ", ".join(Fault)
_ORDER = rf"({'|'.join(Fault)})(?:\*([0-9]{{1,4}}))?"
_HEADER_ORDER = re.compile(_ORDER)
_PHRASE = re.compile(rf"\bfault:{_ORDER}(?!\w)")


class Order(NamedTuple):
    asked_by: str
    """The header, or the message, whose repetitions are counted."""
    fault: Fault
    times: int | None
    """How many requests get it; None is all of them."""


def ordered_fault(header: str | None, text: str) -> Order | None:
    """What the request asks for. Raises ApiError (400) for an unknown fault in the header."""
    return _in_text(text) if header is None else _in_header(header)


def _in_header(value: str) -> Order:
    found = _HEADER_ORDER.fullmatch(value.strip())
    if found is None:
        message = (
            f"Unknown fault {value[:80]!r} in the header {_SPELLED}. Name one of {NAMES}; add *2 for the first two requests."
        )
        raise ApiError(400, message, _SPELLED, "invalid_value")
    return _order(f"{_SPELLED}: {value}", found)


def _in_text(text: str) -> Order | None:
    """Of several the first. Words that name no fault are words."""
    if "fault:" not in text:
        return None
    found = _PHRASE.search(text)
    return None if found is None else _order(text, found)


class Faults:
    """With a seed, a caller's nth call meets the same chance in every run."""

    def __init__(self, rates: Mapping[Fault, float], seed: int | None) -> None:
        self._rates = rates
        self._seed = seed
        self._unseeded = Random()  # noqa: S311 - a fault is no secret
        self._counted: OrderedDict[bytes, int] = OrderedDict()

    def next(self, order: Order | None, account: Account) -> Fault | None:
        """The fault that this request gets, counted. One that asked gets none by chance as well."""
        if order is not None:
            return order.fault if self._is_due(order, account.caller) else None
        return self._by_chance(account) if self._rates else None

    def clear(self) -> None:
        """Forget which requests had their share."""
        self._counted.clear()

    def _is_due(self, order: Order, caller: Caller) -> bool:
        if order.times is None:
            return True
        key = blake2b(repr((caller, order.asked_by)).encode(), digest_size=16).digest()
        seen = self._counted.pop(key, 0)
        # No higher than needed: what is remembered of a request does not grow with its retries.
        self._counted[key] = min(seen + 1, order.times)
        if len(self._counted) > MOST_COUNTED:
            self._counted.popitem(last=False)
        return seen < order.times

    def _by_chance(self, account: Account) -> Fault | None:
        chance = self._unseeded if self._seed is None else self._seeded(account)
        left = chance.random()
        for fault, rate in self._rates.items():
            if left < rate:
                return fault
            left -= rate
        return None

    def _seeded(self, account: Account) -> Random:
        return Random(repr((self._seed, "fault", *account.caller, account.calls)))  # noqa: S311 - a fault is no secret


def _order(asked_by: str, found: re.Match[str]) -> Order:
    name, times = found.groups()
    return Order(asked_by, Fault(name), None if times is None else int(times))
