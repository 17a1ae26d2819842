"""What a call of the rate-limit API means: a check, a charge, or the end of a call that used nothing.

Between the gateway and this service some keys of descriptors are reserved (`budgets.documents.reserved`). `describes` says that
a descriptor holds the call's dimensions, rather than one question; `request_id` ties a charge to its check; `usage` says which
figure the hits are; `response_status` that they are the HTTP status by which the call ended.
"""

from dataclasses import dataclass, field

from envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest

from budgets.budget import PICO, Entries, Usage
from budgets.documents.reserved import DESCRIBES, MAX_TOKENS, REQUEST_ID, RESERVED, RESPONSE_STATUS, USAGE
from budgets.matching.policy import Call

HITS_CAP = 2**32 - 1
"""The most that one figure may be, in tokens or micro-dollars; far beyond what any call uses."""

MOST_DESCRIPTORS = 64
MOST_ENTRIES = 32
LONGEST = 1024
"""Characters of a key or a value; a caller chooses some values, such as the model."""


class MalformedError(ValueError):
    """A call that no gateway should make; the text says what to mend."""


@dataclass(frozen=True)
class Asked:
    """One call of the API."""

    call: Call
    request_id: str | None = None
    max_tokens: int | None = None
    usages: tuple[Usage, ...] = ()
    """For each descriptor of the call, where it is a charge."""
    status: int | None = None
    """Where it says how the call ended."""

    @property
    def is_charge(self) -> bool:
        return bool(self.usages)

    @property
    def is_end(self) -> bool:
        return self.status is not None and not self.usages


@dataclass
class _Gathered:
    """Descriptors are on the path of every call, so each is gone through once."""

    described: bool = False
    request_id: str | None = None
    max_tokens: int | None = None
    status: int | None = None
    tells_usage: bool = False
    figures: dict[Entries, dict[str, int]] = field(default_factory=dict)

    def take(self, descriptor: RateLimitDescriptor) -> None:
        hits = _hits(descriptor)
        entries, figure, tells_status = [], None, False
        for entry in descriptor.entries:
            key, value = entry.key, entry.value
            if not key:
                raise MalformedError("An entry of a descriptor has no key.")
            if len(key) > LONGEST or len(value) > LONGEST:
                raise MalformedError(f"A key or a value of a descriptor is longer than {LONGEST} characters.")
            if key not in RESERVED:
                entries.append((key, value))
            elif key == USAGE:
                figure = _known(value)
            elif key == RESPONSE_STATUS:
                tells_status = True
            else:
                self._note(key, value)
        if tells_status:
            self.status = hits
            return
        self.tells_usage = self.tells_usage or figure is not None or hits > 0
        figures = self.figures.setdefault(tuple(entries), {})
        figures[figure or _UNSPLIT] = figures.get(figure or _UNSPLIT, 0) + hits

    def _note(self, key: str, value: str) -> None:
        if key == DESCRIBES:
            if value != "call":
                raise MalformedError(f"{DESCRIBES}={value!r} is unknown; a descriptor describes a call.")
            self.described = True
        elif key == REQUEST_ID:
            self.request_id = self.request_id or value or None
        elif key == MAX_TOKENS:
            self.max_tokens = self.max_tokens or _positive(value)


def read(request: RateLimitRequest, domain: str) -> Asked:
    """Raises MalformedError."""
    _refuse_malformed(request, domain)
    gathered = _Gathered()
    for descriptor in request.descriptors:
        gathered.take(descriptor)
    if gathered.described and len(gathered.figures) > 1:
        raise MalformedError("A call is described by one descriptor; this one has several that differ.")
    call = Call(tuple(gathered.figures), gathered.described)
    usages = tuple(_usage(figures) for figures in gathered.figures.values()) if gathered.tells_usage else ()
    return Asked(call, gathered.request_id, gathered.max_tokens, usages, gathered.status)


_UNSPLIT = "unsplit"
_MICRO_USD = "micro_usd"
_FIGURES = frozenset({"input", "output", "cached", _MICRO_USD})


def _usage(figures: dict[str, int]) -> Usage:
    cost = figures.pop(_MICRO_USD, None)
    return Usage(**figures, picodollars=None if cost is None else cost * PICO // 10**6)


def _known(figure: str) -> str:
    if figure not in _FIGURES:
        raise MalformedError(f"{USAGE}={figure!r} is unknown; use input, output, cached or {_MICRO_USD}.")
    return figure


def _refuse_malformed(request: RateLimitRequest, domain: str) -> None:
    if request.domain != domain:
        remedy = "Set BUDGETS_DOMAIN and the gateway's domain to the same."
        raise MalformedError(f"The domain is {request.domain[:LONGEST]!r}; this service serves {domain!r}. {remedy}")
    if not request.descriptors:
        raise MalformedError("The request holds no descriptor, so no budget can be found.")
    if len(request.descriptors) > MOST_DESCRIPTORS:
        raise MalformedError(f"The request holds more than {MOST_DESCRIPTORS} descriptors.")


def _hits(descriptor: RateLimitDescriptor) -> int:
    if not descriptor.HasField("hits_addend") or descriptor.hits_addend.value > HITS_CAP:
        raise MalformedError(f"Each descriptor needs hits_addend: 0 to check, or what to charge, {HITS_CAP} at most.")
    if len(descriptor.entries) > MOST_ENTRIES:
        raise MalformedError(f"A descriptor holds more than {MOST_ENTRIES} entries.")
    return int(descriptor.hits_addend.value)


def _positive(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 and int(text) > 0 else None
