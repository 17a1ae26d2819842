"""The usage in a chat completion, as OpenAI tells it, and as the ledger counts it."""

from typing import Any


def chat_usage(prompt: int, completion: int, cached: int = 0) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def counts(usage: dict[str, Any]) -> dict[str, int]:
    """Of a usage, those that the ledger adds up."""
    told = {member: usage[member] for member in ("prompt_tokens", "completion_tokens", "total_tokens")}
    return told | {"cached_tokens": usage["prompt_tokens_details"]["cached_tokens"]}
