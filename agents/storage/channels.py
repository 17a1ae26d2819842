"""Channels of a graph that live for one turn: a checkpoint holds none, so that a turn cannot find the last one's."""

from collections.abc import Sequence
from typing import Any

from langgraph.checkpoint.base import Checkpoint

OF_ONE_TURN = ("reply", "outcome")


def lasting(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint as it is kept; the one that is handed in stays as it is."""
    values = {name: value for name, value in checkpoint["channel_values"].items() if name not in OF_ONE_TURN}
    return {**checkpoint, "channel_values": values}


def lasting_writes(writes: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(channel, value) for channel, value in writes if channel not in OF_ONE_TURN]
