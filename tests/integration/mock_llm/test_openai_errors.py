"""Faults and refusals as the official SDK's error classes, and how many requests it sent for them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    OpenAI,
    RateLimitError,
    Timeout,
)

from .openai_client import connect, connect_async, outcomes
from .serving import serving

pytestmark = pytest.mark.anyio

MODEL = "mock-essay-7b"
IMPATIENT = Timeout(5, read=0.3)
"""Seconds. To connect may take longer than to give up on an answer."""
Ask = Callable[[OpenAI, str], Any]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving("mock_llm") as (_, base):
        yield base


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK retries without a pause where the answer names none."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0)


def chat(openai: OpenAI, text: str) -> Any:
    return openai.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": text}])


def chat_stream(openai: OpenAI, text: str) -> Any:
    with openai.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": text}], stream=True) as stream:
        return list(stream)


def respond(openai: OpenAI, text: str) -> Any:
    return openai.responses.create(model=MODEL, input=text)


def respond_stream(openai: OpenAI, text: str) -> Any:
    with openai.responses.create(model=MODEL, input=text, stream=True) as stream:
        return list(stream)


def embed(openai: OpenAI, text: str) -> Any:
    return openai.embeddings.create(model=MODEL, input=text)


WAYS = pytest.mark.parametrize("ask", [chat, chat_stream, respond, respond_stream, embed])
WHOLE = pytest.mark.parametrize("ask", [chat, respond, embed])
STREAMS = pytest.mark.parametrize("ask", [chat_stream, respond_stream])


@WAYS
def test_a_rate_limit_is_tried_three_times(url: str, user: str, ask: Ask) -> None:
    with connect(url, user) as openai, pytest.raises(RateLimitError) as caught:
        ask(openai, "fault:rate_limited")
    assert (caught.value.status_code, caught.value.code, caught.value.type) == (429, "rate_limit_exceeded", "requests")
    assert outcomes(url, user) == ["rate_limited"] * 3


@WAYS
def test_a_server_error_that_passes_is_retried_until_it_does(url: str, user: str, ask: Ask) -> None:
    with connect(url, user) as openai:
        assert ask(openai, "fault:server_error*2")
    assert outcomes(url, user) == ["server_error", "server_error", "answered"]


@WAYS
def test_an_overloaded_server(url: str, user: str, ask: Ask) -> None:
    with connect(url, user, max_retries=0) as openai, pytest.raises(InternalServerError) as caught:
        ask(openai, "fault:overloaded")
    assert (caught.value.status_code, caught.value.response.headers["retry-after"]) == (503, "1")
    assert outcomes(url, user) == ["overloaded"]


@WAYS
def test_a_reset_connection_is_tried_again(url: str, user: str, ask: Ask) -> None:
    with connect(url, user, max_retries=1) as openai:
        assert ask(openai, "fault:reset*1")
        with pytest.raises(APIConnectionError):
            ask(openai, "fault:reset")
    assert outcomes(url, user) == ["reset", "answered", "reset", "reset"]


@WAYS
def test_a_time_out_is_tried_again(url: str, user: str, ask: Ask) -> None:
    with connect(url, user, max_retries=1, timeout=IMPATIENT) as openai, pytest.raises(APITimeoutError):
        ask(openai, "fault:timeout")
    assert outcomes(url, user) == ["timeout", "timeout"]


@WHOLE
def test_a_cut_body_is_tried_again(url: str, user: str, ask: Ask) -> None:
    with connect(url, user, max_retries=1) as openai, pytest.raises(APIConnectionError):
        ask(openai, "fault:cut")
    assert outcomes(url, user) == ["cut", "cut"]


@STREAMS
def test_a_cut_stream_is_not_tried_again(url: str, user: str, ask: Ask) -> None:
    with connect(url, user) as openai, pytest.raises(APIConnectionError):
        ask(openai, "fault:cut")
    assert outcomes(url, user) == ["cut"]


@WAYS
def test_a_malformed_answer_is_not_tried_again(url: str, user: str, ask: Ask) -> None:
    with connect(url, user) as openai, pytest.raises((ValueError, APIError)):
        ask(openai, "fault:malformed")
    assert outcomes(url, user) == ["malformed"]


@WHOLE
def test_an_answer_without_usage(url: str, user: str, ask: Ask) -> None:
    with connect(url, user) as openai:
        assert ask(openai, "fault:no_usage").usage is None
    assert outcomes(url, user) == ["no_usage"]


def test_wrong_requests_are_not_tried_again(url: str, user: str) -> None:
    with connect(url, user) as openai:
        messages: Any = [{"role": "user", "content": "hello"}]
        wrong: Any = {"messages": messages, "model": MODEL}
        faulty: list[dict[str, Any]] = [{"temperature": 3}, {"n": 0}, {"messages": []}, {"stop": ["x"] * 5}]
        for parameters in faulty:
            with pytest.raises(BadRequestError) as caught:
                openai.chat.completions.create(**wrong | parameters)
            assert caught.value.param == next(iter(parameters))
        with pytest.raises(BadRequestError, match="No tool call found"):
            openai.responses.create(model=MODEL, input=[{"type": "function_call_output", "call_id": "x", "output": "y"}])
        with pytest.raises(NotFoundError):
            openai.responses.retrieve("resp_unknown")
    assert outcomes(url, user) == ["refused"] * 5


async def test_errors_async(url: str, user: str) -> None:
    async with connect_async(url, user) as openai:
        with pytest.raises(RateLimitError):
            await openai.responses.create(model=MODEL, input="fault:rate_limited")
        with pytest.raises(APIConnectionError):
            async with openai.responses.stream(model=MODEL, input="fault:cut") as stream:
                await stream.get_final_response()
        with pytest.raises(APITimeoutError):
            await openai.with_options(timeout=IMPATIENT, max_retries=0).embeddings.create(model=MODEL, input="fault:timeout")
    assert outcomes(url, user) == ["rate_limited"] * 3 + ["cut", "timeout"]
