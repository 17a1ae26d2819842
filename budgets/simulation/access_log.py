"""The gateway's access log, as `budgets simulate` reads it: one JSON object a line, written when a call ends."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from budgets.budget import Usage

_ABSENT = (None, "", "-")

_NAMED = {"team": "team", "user": "user_id", "virtualKey": "key", "model": "asked_model"}
"""Dimensions that have a field of their own in the log; the others stand together under `dimensions`."""


@dataclass(frozen=True)
class Past:
    """A call that was answered and used something."""

    started: float
    """In seconds since the epoch, as is `ended`."""
    ended: float
    request_id: str
    dimensions: Mapping[str, str]
    usage: Usage
    max_tokens: int | None


@dataclass
class Skipped:
    """Lines that hold no call to replay."""

    unused: int = 0
    """Calls that used nothing: refused ones, failed ones, and those whose caller hung up."""
    unreadable: int = 0


def read_log(lines: Iterable[str], skipped: Skipped) -> Iterator[Past]:
    """What runs before and after the gateway's own lines is skipped and counted."""
    for number, line in enumerate(lines):
        entry = _entry(line)
        try:
            past = _past(entry, number) if entry is not None else None
        except (KeyError, TypeError, ValueError, OverflowError):
            entry, past = None, None
        if past:
            yield past
        elif entry is not None:
            skipped.unused += 1
        elif line.strip():
            skipped.unreadable += 1


def _entry(line: str) -> dict[str, Any] | None:
    """A supervisor may have put a name before the object."""
    try:
        entry = json.loads(line[line.index("{") :])
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _past(entry: Mapping[str, Any], number: int) -> Past | None:
    """None where the call used nothing."""
    started = datetime.fromisoformat(str(entry["time"]))
    if started.tzinfo is None:
        raise ValueError("a moment without a time zone")
    told = [*dict(entry["dimensions"]).items(), *((dimension, entry.get(name)) for dimension, name in _NAMED.items())]
    dimensions = {name: str(value) for name, value in told if value not in _ABSENT}
    usage = Usage(_figure(entry, "tokens_in"), _figure(entry, "tokens_out"), _figure(entry, "tokens_cached"))
    if not usage.tokens:
        return None
    moment = started.timestamp()
    return Past(
        started=moment,
        ended=moment + _figure(entry, "milliseconds") / 1000,
        request_id=f"{number}",
        dimensions=dimensions,
        usage=usage,
        max_tokens=_figure(entry, "max_tokens") or None,
    )


def _figure(entry: Mapping[str, Any], name: str) -> int:
    """Envoy writes what is absent as null or a dash, and some figures as text."""
    value = entry.get(name)
    if value in _ABSENT:
        return 0
    figure = int(float(str(value)))
    if figure < 0:
        raise ValueError(f"{name} is negative")
    return figure
