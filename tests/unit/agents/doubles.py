"""Stand-ins that the tests of this package share."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

import httpx
import jwt
from langchain_core.messages import AnyMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import SecretStr

from agents.config import Settings
from agents.kit import CallLLM, Kit, Tool
from agents.llm.call import GatewayLLM
from agents.llm.connection import Connection
from agents.llm.ladder import Ladder
from agents.llm.meter import LastMeter
from agents.outcomes import Answered, BudgetExhausted, Meter, Outcome, ToolCall, ToolsCalled
from agents.progress import Progress
from agents.run import Run, enter_run
from agents.usage import Usage

T = TypeVar("T")

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
    given = {} if "llm_jwt_file" in changes else {"llm_jwt": SecretStr(token(team="dba"))}
    return Settings.model_validate({**given, **changes})


def completion(text: str = "An essay.") -> dict[str, Any]:
    return {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 13, "completion_tokens": 700, "total_tokens": 713},
    }


def answer(status: int, document: object = None, headers: Mapping[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, headers=headers, content=json.dumps(document).encode() if document else b"")


class Pieces(httpx.AsyncByteStream):
    """A body as it comes over the network; `end` is how the connection is cut, None where the body is whole."""

    def __init__(self, *pieces: bytes, end: Exception | None = None) -> None:
        self._pieces = pieces
        self._end = end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if self._end:
            raise self._end


Reply: TypeAlias = httpx.Response | Exception | Callable[[], httpx.Response]


def streamed(*events: object, end: Exception | None = None, headers: Mapping[str, str] | None = None) -> Reply:
    """Server-sent events; an object becomes its JSON, bytes are sent as they are."""
    pieces = [event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    kind = {"content-type": "text/event-stream"}
    return lambda: httpx.Response(200, headers={**kind, **(headers or {})}, stream=Pieces(*pieces, end=end))


def chunk(words: str | None = None, finish: str | None = None, **delta: object) -> dict[str, Any]:
    said = delta if words is None else {"content": words, **delta}
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": said, "finish_reason": finish}]}


STOP = chunk(finish="stop")
USED = {"choices": [], "usage": {"prompt_tokens": 13, "completion_tokens": 700, "total_tokens": 713}}
DONE = b"data: [DONE]\n\n"


class Gateway:
    """Answers from a list, the last one for ever, and keeps what it was asked."""

    def __init__(self, *answers: Reply) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer()

    def asked(self, index: int = -1) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.requests[index].content)
        return document

    def conversation(self, index: int = -1) -> list[tuple[str, str]]:
        return [(message["role"], message["content"]) for message in self.asked(index)["messages"]]


class Naps:
    """A sleep that does not; it keeps how long it was asked to."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@asynccontextmanager
async def llm_through(
    gateway: Callable[[httpx.Request], Any],
    naps: Naps | None = None,
    *,
    last_meter: LastMeter | None = None,
    ladder: Ladder | None = None,
    **changes: object,
) -> AsyncIterator[GatewayLLM]:
    """`changes` are those of the settings."""
    read = settings(**changes)
    connection = Connection(read, httpx.MockTransport(gateway))
    try:
        yield GatewayLLM(
            connection, read.llm_model, last_meter=last_meter, stream=read.llm_stream, ladder=ladder, sleep=naps or Naps()
        )
    finally:
        await connection.aclose()


class Ears:
    """A `Listener`. `has_read` is whether the user has read words that can no longer be withdrawn."""

    def __init__(self, has_read: bool = False) -> None:
        self.heard: list[Progress] = []
        self.has_read = has_read
        self.withdrawn = 0

    def tell(self, progress: Progress) -> None:
        self.heard.append(progress)

    def withdraw(self) -> bool:
        self.withdrawn += 1
        return not self.has_read


async def within(run: Run, call: Awaitable[T]) -> T:
    """The call as a part of the run, which is current for nothing else."""

    async def work() -> T:
        enter_run(run)
        return await call

    return await asyncio.create_task(work())


class Model:
    """A `CallLLM` that answers from a list of outcomes, the last one for ever; it keeps the conversations and the tools."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes) or [answered()]
        self.conversations: list[list[tuple[str, Any]]] = []
        self.tools: list[list[str]] = []

    async def __call__(self, messages: Sequence[AnyMessage], tools: Sequence[Tool] = ()) -> Outcome:
        self.conversations.append([(message.type, message.content) for message in messages])
        self.tools.append([convert_to_openai_tool(tool)["function"]["name"] for tool in tools])
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]


class Hanging:
    """A model that does not answer until it is let, and knows whether its call was ended."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, messages: Sequence[AnyMessage], tools: Sequence[Tool] = ()) -> Outcome:
        self.begun.set()
        try:
            await self.go_on.wait()
        finally:
            self.ended.set()
        return answered()


class Colleagues:
    """`Peers` who answer with what they were asked, and keep it."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self.calls: list[tuple[ToolCall, int]] = []

    async def tools(self) -> Sequence[Tool]:
        return [{"type": "function", "function": {"name": name}} for name in self._names]

    async def call(self, call: ToolCall, share: int = 1) -> str:
        self.calls.append((call, share))
        return f"{call.name} says {call.arguments}"


class Purse:
    """A `Budget`."""

    async def describe(self) -> str:
        return "4,287 tokens are left."


def kit(model: CallLLM | None = None, **changes: Any) -> Kit:
    parts = {
        "call_llm": model or Model(),
        "peers": Colleagues(),
        "budget": Purse(),
        "team": "dba",
        "system_prompt": "Be brief.",
        "checkpointer": InMemorySaver(),
    }
    return Kit(**{**parts, **changes})


def answered(text: str = "An essay.") -> Answered:
    return Answered(text=text, usage=USAGE, meter=Meter())


def tools_called(*names: str, text: str = "") -> ToolsCalled:
    calls = tuple(ToolCall(f"call-{number}", name, '{"message": "hi"}') for number, name in enumerate(names or ("oracle",)))
    return ToolsCalled(text, calls, USAGE, Meter())
