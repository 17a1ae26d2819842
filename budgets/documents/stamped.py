"""The headers in which the gateway tells who calls. It removes them from every request before it sets them itself."""

import re

DIMENSION_PREFIX = "x-dimension-"

STAMPED = {"x-team-id": "team", "x-user-id": "user", "x-virtual-key": "virtualKey"}
"""Header to the dimension that it carries; every other dimension NAME has the header `x-dimension-NAME`."""

_HEADER = {dimension: header for header, dimension in STAMPED.items()}
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def is_dimension(name: str) -> bool:
    """Whether a call that our gateway describes can have a dimension of this name."""
    return name in _HEADER or _NAME.fullmatch(name) is not None


def header_for(dimension: str) -> str:
    """The header, in lower case, that carries a dimension."""
    return _HEADER.get(dimension, f"{DIMENSION_PREFIX}{dimension}")


def dimension_of(header: str) -> str | None:
    """The dimension that a header carries; None for a header that the gateway does not set."""
    name = header.lower()
    if name in STAMPED:
        return STAMPED[name]
    dimension = name.removeprefix(DIMENSION_PREFIX)
    return dimension if dimension != name and is_dimension(dimension) else None
