"""A peer as a function that the LLM may call."""

import json
from typing import Any

from agents.peers.directory import Peer

LONGEST_DESCRIPTION = 1024
"""Characters; OpenAI's API takes no more."""

EXPECTED = '{"message": "..."}'


def tool_of(peer: Peer, description: str) -> dict[str, Any]:
    """`description` is the card's; empty where the card is away."""
    said = " ".join("".join(each if each.isprintable() else " " for each in description).split())
    text = f"Asks the agent {peer.name}, which answers in words. {said}".strip()
    message = {"type": "string", "description": "What to ask of it, with all that it must know: it sees nothing else of this."}
    return {
        "type": "function",
        "function": {
            "name": peer.tool,
            "description": text[:LONGEST_DESCRIPTION],
            "parameters": {
                "type": "object",
                "properties": {"message": message},
                "required": ["message"],
                "additionalProperties": False,
            },
        },
    }


def read_message(arguments: str) -> str | None:
    """What the LLM wants to say; None where it wrote no such JSON."""
    try:
        said = json.loads(arguments)
    except (ValueError, RecursionError):
        return None
    message = said.get("message") if isinstance(said, dict) else None
    # Half a surrogate pair is JSON, but no text that could be sent.
    return message.encode("utf-8", "replace").decode() if isinstance(message, str) and message.strip() else None
