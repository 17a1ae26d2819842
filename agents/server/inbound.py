"""What a caller says of itself: its headers and the extension's object in its message's metadata, of which nothing is believed.

Whoever can reach the agent can write them, so that reading them never raises. What is no text or too long is cut or left out.
"""

import math
import re
from collections.abc import Mapping, Sequence

from agents.extension import URI
from agents.lineage import Lineage
from agents.usage import LARGEST

LONGEST = 256
"""Characters of one name, user or context."""

MOST_AGENTS = 32
"""Agents of a path that are read; no agent allows half as many hops."""

UNREADABLE = -1
"""An allowance that the caller did set, but not as a number of tokens. Whoever overlooks it has nothing left to spend."""

TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


def read_lineage(user: str, headers: Mapping[str, str], metadata: Mapping[str, object], context_id: str) -> Lineage:
    """`user` is whom `agents.server.callers` found. Keys of `headers` are in lower case.

    `metadata` is the message's, as a dict or as protobuf's Struct.
    """
    said = _entry(metadata, URI)
    traceparent = _clean(_entry(headers, "traceparent"))
    return Lineage(
        user=user,
        root_context=_clean(_entry(headers, "x-kagent-root-context-id")) or _clean(context_id),
        path=_path(_entry(said, "path")),
        traceparent=traceparent if TRACEPARENT.fullmatch(traceparent) else "",
        allowance=_allowance(_entry(said, "allowance")),
    )


def check_path(lineage: Lineage, own_name: str, max_hops: int) -> str | None:
    """Why the task is refused, in a sentence; None where it is not. `max_hops` counts this agent too."""
    path = (*lineage.path, _clean(own_name))
    if path[-1] in lineage.path:
        shown = " -> ".join(path[lineage.path.index(path[-1]) :])
        return f"This task goes in a circle and is refused: {shown}. Ask an agent that is not part of it."
    if len(path) > max_hops:
        return (
            f"This task came through {len(lineage.path)} agents and is refused: {' -> '.join(path[:max_hops])} -> ..., "
            f"for at most {max_hops} may stand one above another. Ask this agent directly, or raise its MAX_HOPS."
        )
    return None


def check_allowance(lineage: Lineage) -> str | None:
    """Why the task is refused, in a sentence. To run without a bound that was meant is the worse end."""
    if lineage.allowance is None or lineage.allowance >= 0:
        return None
    return (
        "The allowance that came with this message cannot be read, so the task is refused: "
        f'send {{"allowance": {{"tokens": N}}}} under {URI}, with N a number from 0 up, or leave it out.'
    )


def _entry(mapping: object, key: str) -> object:
    """A Struct has no `get`."""
    return mapping[key] if isinstance(mapping, Mapping) and key in mapping else None


def _clean(value: object) -> str:
    """One line that a log and a header can carry."""
    return (
        "".join(character for character in value[:LONGEST] if character.isprintable()).strip() if isinstance(value, str) else ""
    )


def _path(value: object) -> tuple[str, ...]:
    """What is no name is still a hop."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return ()
    return tuple(_clean(name) or "?" for name in list(value)[:MOST_AGENTS])


def _allowance(value: object) -> int | None:
    if value is None:
        return None
    tokens = _entry(value, "tokens")
    if isinstance(tokens, bool) or not isinstance(tokens, int | float) or not 0 <= tokens < math.inf:
        return UNREADABLE
    return int(min(tokens, LARGEST))
