"""A response as OpenAI's `response` object."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from mock_llm.usage import Usage

_REPEATED: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What is repeated of the request, with what stands there where the request says nothing."""
_OF_FUNCTION: dict[str, Any] = {"description": None, "parameters": None, "strict": True}


class Answer(NamedTuple):
    """One answer to one request. `key` ends its id and those of its items. `created` is in seconds since 1970."""

    key: str
    created: int
    model: str
    output: Sequence[dict[str, Any]]
    usage: Usage | None
    is_cut: bool
    """By `max_output_tokens`."""

    @property
    def response_id(self) -> str:
        return f"resp_{self.key}"

    def without_usage(self) -> "Answer":
        return self._replace(usage=None)

    def empty(self) -> "Answer":
        return self._replace(output=(), usage=self.usage and self.usage._replace(completion_tokens=0), is_cut=False)

    def document(self, asked: dict[str, Any]) -> dict[str, Any]:
        """`asked` is the request's body, whose parameters have been checked. The usage stands last."""
        return {
            "id": self.response_id,
            "object": "response",
            "created_at": self.created,
            "status": "incomplete" if self.is_cut else "completed",
            "completed_at": None if self.is_cut else self.created,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if self.is_cut else None,
            "model": self.model,
            **_repeated(asked),
            "output": self.output,
            "usage": None if self.usage is None else _usage(self.usage),
        }


def _repeated(asked: dict[str, Any]) -> dict[str, Any]:
    """What the request says, with the defaults of what it leaves open."""
    said = {key: default if asked.get(key) is None else asked[key] for key, default in _REPEATED.items()}
    said["tools"] = [_OF_FUNCTION | tool if tool["type"] == "function" else tool for tool in said["tools"]]
    said["reasoning"] = {"effort": None, "summary": None} | (asked.get("reasoning") or {})
    said["text"] = {"format": {"type": "text"}, "verbosity": "medium"} | (asked.get("text") or {})
    return said


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
