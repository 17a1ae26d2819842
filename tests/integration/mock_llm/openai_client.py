"""The official SDK, pointed at a running mock, and what the mock's journal says came of it."""

from collections.abc import Mapping
from typing import Any

import httpx
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI

TOOL: Any = {
    "name": "kagent__NS__support_agent",
    "description": "Answers questions on support.",
    "parameters": {
        "type": "object",
        "properties": {"message": {"type": "string"}},
        "required": ["message"],
        "additionalProperties": False,
    },
    "strict": True,
}
PROMPT = "Please ask support-agent: why is it down?"
TOLD = "It is not down."
WOVEN = f"support-agent says: {TOLD.removesuffix('.')}."


def headers_of(user: str) -> Mapping[str, str]:
    return {"X-Team-ID": "dba", "X-User-Id": user}


def connect(url: str, user: str, **options: Any) -> OpenAI:
    return OpenAI(
        base_url=f"{url}/v1",
        api_key="unused",
        default_headers=headers_of(user),
        http_client=DefaultHttpxClient(trust_env=False),
        **options,
    )


def connect_async(url: str, user: str, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(
        base_url=f"{url}/v1",
        api_key="unused",
        default_headers=headers_of(user),
        http_client=DefaultAsyncHttpxClient(trust_env=False),
        **options,
    )


def outcomes(url: str, user: str) -> list[str]:
    """Of the user's requests, the first one first."""
    entries = httpx.get(f"{url}/ledger/entries", params={"user": user}, trust_env=False).json()["entries"]
    return [entry["outcome"] for entry in reversed(entries)]


def totals(url: str, user: str) -> tuple[int, int, int]:
    """Of the user's row in the ledger: requests, prompt tokens, completion tokens."""
    callers = httpx.get(f"{url}/ledger", trust_env=False).json()["callers"]
    (row,) = [row for row in callers if row["user"] == user]
    return row["requests"], row["prompt_tokens"], row["completion_tokens"]
