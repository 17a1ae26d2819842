"""Numbers and times from an answer's headers. What cannot be believed is None, never an error."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from agents.outcomes import Meter

TEN_YEARS = 10 * 365 * 86_400


def read_meter(headers: Mapping[str, str]) -> Meter:
    """The tightest budget. Keys of `headers` are in lower case."""
    return Meter(
        limit=_whole(headers.get("x-ratelimit-limit")),
        remaining=_whole(headers.get("x-ratelimit-remaining")),
        reset=_seconds(headers.get("x-ratelimit-reset")),
        unit=headers.get("x-ratelimit-unit", "tokens")[:32],
    )


def read_retry_after(headers: Mapping[str, str]) -> int | None:
    """Seconds to wait. RFC 9110, section 10.2.3: seconds, or a date, which is compared with the answer's own `date`."""
    value = headers.get("retry-after", "")
    seconds = _seconds(value)
    if seconds is not None:
        return seconds
    until, now = _http_date(value), _http_date(headers.get("date", ""))
    return max(0, round((until - now).total_seconds())) if until and now else None


def _whole(value: str | None) -> int | None:
    """The leading number: envoyproxy/ratelimit writes `10, 10;w=3600`."""
    match = re.match(r"\s*([0-9]{1,15})(?![0-9])", value or "")
    return int(match[1]) if match else None


def _seconds(value: str | None) -> int | None:
    """Seconds to wait. A Unix time, which some vendors send under the same name, is not one."""
    match = re.fullmatch(r"\s*([0-9]{1,9})(\.[0-9]{1,9})?\s*", value or "", re.ASCII)
    seconds = int(match[1]) if match else None
    return seconds if seconds is not None and seconds <= TEN_YEARS else None


def _http_date(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
