"""What Envoy asks of the budget service: one check before a call, and after it a charge for each figure that was read.

Each descriptor tells the whole call: who calls, what for, by which request. The service finds the budgets itself, so nothing
here depends on the policy. An entry that a call does not have is left out; the rest of its descriptor still goes.
"""

from collections.abc import Sequence
from typing import Any

HEADER_OF = {"team": "x-team-id", "user": "x-user-id", "virtualKey": "x-virtual-key"}
"""The header that carries a dimension; any other dimension NAME has the header `x-dimension-NAME`."""

CLAIM_OF = {"team": "team", "user": "sub"}
"""The claim of a token that a dimension is taken from; any other has a claim of its own name."""

RESERVED = frozenset({"describes", "request_id", "max_tokens", "usage", "response_status", *HEADER_OF, "user_id", "model"})
"""Keys with a meaning of their own, so no dimension can have such a name."""

FIGURES = ("input", "output", "cached")
"""What is read from an answer's usage, in tokens; the cached are part of the input."""


def header_for(dimension: str) -> str:
    return HEADER_OF.get(dimension, f"x-dimension-{dimension}")


def claims_to_headers(dimensions: Sequence[str]) -> list[dict[str, str]]:
    """Of a verified token; `dimensions` are those beside team and user."""
    claims = CLAIM_OF | {name: name for name in dimensions}
    return [{"header_name": header_for(name), "claim_name": claim} for name, claim in claims.items()]


def checks(dimensions: Sequence[str]) -> list[dict[str, Any]]:
    """Envoy's `rate_limits` of the check. 0 hits: nothing is charged yet."""
    return [{"actions": [*_call(dimensions), _metadata("max_tokens", "max_tokens")], "hits_addend": {"number": 0}}]


def charges(dimensions: Sequence[str]) -> list[dict[str, Any]]:
    """Envoy's `rate_limits` of the charge. The status goes along always: alone, it says that no usage was read."""
    call = _call(dimensions)
    told = [
        *((_constant("usage", figure), f"%DYNAMIC_METADATA(llm:{figure})%") for figure in FIGURES),
        (_constant("response_status", "of the call"), "%RESPONSE_CODE%"),
    ]
    return [
        {"actions": [*call, what], "hits_addend": {"format": figure}, "apply_on_stream_done": True} for what, figure in told
    ]


def _call(dimensions: Sequence[str]) -> list[dict[str, Any]]:
    return [
        _constant("describes", "call"),
        *(_header(name, header_for(name)) for name in (*HEADER_OF, *dimensions)),
        _metadata("model", "asked_model"),
        _header("request_id", "x-request-id"),
    ]


def _constant(key: str, value: str) -> dict[str, Any]:
    return {"generic_key": {"descriptor_key": key, "descriptor_value": value}}


def _header(key: str, header: str) -> dict[str, Any]:
    return {"request_headers": {"descriptor_key": key, "header_name": header, "skip_if_absent": True}}


def _metadata(key: str, field: str) -> dict[str, Any]:
    """What json_to_metadata has read from the request's body."""
    place = {"key": "llm", "path": [{"key": field}]}
    return {"metadata": {"descriptor_key": key, "metadata_key": place, "source": "DYNAMIC", "skip_if_absent": True}}
