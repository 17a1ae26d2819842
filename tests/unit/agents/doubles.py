"""Stand-ins that the tests of this package share."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt
from langchain_core.messages import AnyMessage
from pydantic import SecretStr

from agents.config import Settings
from agents.llm import GatewayLLM
from agents.outcomes import Answered, BudgetExhausted, Meter, Outcome, Usage

NOON = datetime(2026, 11, 21, 14, 40, tzinfo=UTC)

BUDGET: dict[str, Any] = {
    "id": "team-token-budget/dba/hour",
    "subject": {"team": "dba"},
    "unit": "tokens",
    "limit": 5000,
    "used": 5012,
    "remaining": 0,
    "window": "hour",
    "reset_at": "2026-11-21T15:00:00Z",
    "retryable": False,
}
SPENT_BODY: dict[str, Any] = {
    "error": {
        "message": "Budget 'team-token-budget/dba/hour' is spent.",
        "type": "budget_exceeded",
        "code": "budget_exhausted",
        "param": None,
        "budget": BUDGET,
    }
}
SPENT = BudgetExhausted(429, BUDGET, datetime(2026, 11, 21, 15, tzinfo=UTC), 1200, Meter())
USAGE = Usage(prompt=13, completion=700, total=713)


def token(**claims: object) -> str:
    return jwt.encode({"iss": "agentic-budgets", **claims}, "a key of no importance, 32 bytes long", algorithm="HS256")


def settings(**changes: object) -> Settings:
    return Settings.model_validate({"llm_jwt": SecretStr(token(team="dba")), **changes})


def completion(text: str = "An essay.") -> dict[str, Any]:
    return {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 13, "completion_tokens": 700, "total_tokens": 713},
    }


class Gateway:
    """Answers from a list, the last one for ever, and keeps what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def conversation(self, index: int = -1) -> list[tuple[str, str]]:
        messages = json.loads(self.requests[index].content)["messages"]
        return [(message["role"], message["content"]) for message in messages]


class Naps:
    """A sleep that does not; it keeps how long it was asked to."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def llm_through(gateway: Callable[[httpx.Request], httpx.Response], naps: Naps | None = None) -> GatewayLLM:
    return GatewayLLM(settings(), transport=httpx.MockTransport(gateway), sleep=naps or Naps())


class Model:
    """A `CallLLM` that answers from a list of outcomes, the last one for ever, and keeps the conversations."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes) or [answered()]
        self.conversations: list[list[tuple[str, Any]]] = []

    async def __call__(self, messages: Sequence[AnyMessage]) -> Outcome:
        self.conversations.append([(message.type, message.content) for message in messages])
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]


def answered(text: str = "An essay.") -> Answered:
    return Answered(text=text, usage=USAGE, meter=Meter())


def answer(status: int, document: object = None, headers: Mapping[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, headers=headers, content=json.dumps(document).encode() if document else b"")
