"""Chat completions and models through the official SDK."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from openai import AsyncOpenAI, NotFoundError, OpenAI, pydantic_function_tool
from pydantic import BaseModel, Field

from mock_llm.essays import ESSAYS

from .openai_client import PROMPT, TOLD, TOOL, WOVEN, connect, connect_async, outcomes, totals
from .serving import serving

pytestmark = pytest.mark.anyio

HELLO: Any = [{"role": "user", "content": "one two three four"}]
ASKS: Any = [{"role": "user", "content": PROMPT}]
TOOLS: Any = [{"type": "function", "function": TOOL}]
MODEL = "mock-essay-7b"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving("mock_llm", MOCK_LLM_SEED="7") as (_, base):
        yield base


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    """The test, so that each has a row of its own in the one ledger."""
    return str(request.node.name)


@pytest.fixture
def openai(url: str, user: str) -> Iterator[OpenAI]:
    with connect(url, user, max_retries=0) as client:
        yield client


@pytest.fixture
async def async_openai(url: str, user: str) -> AsyncIterator[AsyncOpenAI]:
    async with connect_async(url, user, max_retries=0) as client:
        yield client


def test_a_completion(openai: OpenAI, url: str, user: str) -> None:
    told = openai.chat.completions.create(model=MODEL, messages=HELLO)
    (choice,) = told.choices
    assert choice.message.content in ESSAYS
    assert (choice.finish_reason, told.model, told.object) == ("stop", MODEL, "chat.completion")
    assert told.usage is not None
    assert totals(url, user) == (1, told.usage.prompt_tokens, told.usage.completion_tokens)
    assert outcomes(url, user) == ["answered"]


async def test_a_completion_async(async_openai: AsyncOpenAI, url: str, user: str) -> None:
    told = await async_openai.chat.completions.create(model=MODEL, messages=HELLO)
    assert told.choices[0].message.content in ESSAYS
    assert outcomes(url, user) == ["answered"]


def test_several_choices(openai: OpenAI) -> None:
    told = openai.chat.completions.create(model=MODEL, messages=HELLO, n=3)
    assert [choice.index for choice in told.choices] == [0, 1, 2]
    assert all(choice.message.content in ESSAYS for choice in told.choices)
    assert told.usage is not None
    assert told.usage.completion_tokens >= 3 * 400


def test_stop_ends_the_text_before_it(openai: OpenAI) -> None:
    told = openai.chat.completions.create(model=MODEL, messages=HELLO, stop=[" the ", " a "])
    said = told.choices[0].message.content
    assert said
    assert " the " not in said
    assert " a " not in said
    assert any(essay.startswith(said) and essay not in said for essay in ESSAYS)
    assert told.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_a_limit_cuts_the_text(openai: OpenAI, limit: str) -> None:
    limits: Any = {limit: 7}
    told = openai.chat.completions.create(model=MODEL, messages=HELLO, **limits)
    assert told.choices[0].finish_reason == "length"
    assert told.usage is not None
    assert told.usage.completion_tokens == 7


def test_at_temperature_0_the_answer_is_the_same(openai: OpenAI) -> None:
    told = [openai.chat.completions.create(model=MODEL, messages=HELLO, temperature=0) for _ in range(4)]
    assert len({each.choices[0].message.content for each in told}) == 1
    assert len({each.usage.completion_tokens for each in told if each.usage}) == 1


def test_usage_is_as_asked_for_in_headers(openai: OpenAI, url: str, user: str) -> None:
    headers = {"x-mock-prompt-tokens": "56", "x-mock-completion-tokens": "700", "x-mock-cached-tokens": "6"}
    told = openai.chat.completions.create(model=MODEL, messages=HELLO, extra_headers=headers)
    assert told.usage is not None
    assert (told.usage.prompt_tokens, told.usage.completion_tokens, told.usage.total_tokens) == (56, 700, 756)
    assert told.usage.prompt_tokens_details is not None
    assert told.usage.prompt_tokens_details.cached_tokens == 6
    assert totals(url, user) == (1, 56, 700)


def test_a_stream_without_usage(openai: OpenAI, url: str, user: str) -> None:
    with openai.chat.completions.create(model=MODEL, messages=HELLO, stream=True) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) in ESSAYS
    assert [chunk.usage for chunk in chunks] == [None] * len(chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert outcomes(url, user) == ["answered"]


def test_a_stream_with_usage(openai: OpenAI, url: str, user: str) -> None:
    options: Any = {"include_usage": True}
    with openai.chat.completions.create(model=MODEL, messages=HELLO, stream=True, stream_options=options) as stream:
        *chunks, last = list(stream)
    assert [chunk.usage for chunk in chunks] == [None] * len(chunks)
    assert (last.choices, last.usage is None) == ([], False)
    assert last.usage
    assert totals(url, user) == (1, last.usage.prompt_tokens, last.usage.completion_tokens)


async def test_a_stream_async(async_openai: AsyncOpenAI) -> None:
    async with await async_openai.chat.completions.create(model=MODEL, messages=HELLO, stream=True) as stream:
        said = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(said) in ESSAYS


def test_the_stream_helper(openai: OpenAI) -> None:
    options: Any = {"include_usage": True}
    with openai.chat.completions.stream(model=MODEL, messages=HELLO, n=2, stream_options=options) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert all(choice.message.content in ESSAYS for choice in final.choices)
    assert len(final.choices) == 2
    assert final.usage is not None


def test_a_tool_is_called_and_its_result_woven_in(openai: OpenAI) -> None:
    first = openai.chat.completions.create(model=MODEL, messages=ASKS, tools=TOOLS)
    assert first.choices[0].finish_reason == "tool_calls"
    message = first.choices[0].message
    assert message.tool_calls is not None
    (call,) = message.tool_calls
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == (TOOL["name"], {"message": PROMPT})
    answered: Any = [message, {"role": "tool", "tool_call_id": call.id, "content": TOLD}]
    second = openai.chat.completions.create(model=MODEL, messages=[*ASKS, *answered], tools=TOOLS)
    said = second.choices[0].message.content
    assert said is not None
    assert said.removeprefix(f"{WOVEN}\n\n") in ESSAYS


async def test_a_streamed_tool_call_and_its_result(async_openai: AsyncOpenAI) -> None:
    async with async_openai.chat.completions.stream(model=MODEL, messages=ASKS, tools=TOOLS) as stream:
        done = [event async for event in stream if event.type == "tool_calls.function.arguments.done"]
        final = await stream.get_final_completion()
    message = final.choices[0].message
    assert message.tool_calls is not None
    assert [event.arguments for event in done] == [message.tool_calls[0].function.arguments]
    assert json.loads(done[0].arguments) == {"message": PROMPT}
    result: Any = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": TOLD}
    sent: Any = message.model_dump(exclude={"parsed": True, "tool_calls": {"__all__": {"function": {"parsed_arguments"}}}})
    async with async_openai.chat.completions.stream(model=MODEL, messages=[*ASKS, sent, result], tools=TOOLS) as stream:
        said = (await stream.get_final_completion()).choices[0].message.content
    assert said is not None
    assert said.removeprefix(f"{WOVEN}\n\n") in ESSAYS


class Search(BaseModel):
    query: str


def test_arguments_are_parsed_into_the_tools_own_model(openai: OpenAI) -> None:
    asks: Any = [{"role": "user", "content": "search for it"}]
    told = openai.chat.completions.parse(model=MODEL, messages=asks, tools=[pydantic_function_tool(Search)])
    calls = told.choices[0].message.tool_calls
    assert calls
    assert calls[0].function.parsed_arguments == Search(query="search for it")


def test_the_models(tmp_path: Path, user: str) -> None:
    file = tmp_path / "models.yaml"
    file.write_text("models: [{id: big, usage: {completion_tokens: 700}}, {id: team/small}]")
    with serving("mock_llm", MOCK_LLM_MODELS=str(file)) as (_, base), connect(base, user, max_retries=0) as openai:
        assert [model.id for model in openai.models.list()] == ["big", "team/small"]
        assert openai.models.retrieve("big").id == "big"
        with pytest.raises(NotFoundError) as caught:
            openai.models.retrieve("unknown")
        assert caught.value.code == "model_not_found"
        with pytest.raises(NotFoundError, match="unknown"):
            openai.chat.completions.create(model="unknown", messages=HELLO)
        told = openai.chat.completions.create(model="big", messages=HELLO)
        assert told.usage is not None
        assert told.usage.completion_tokens == 700
        assert outcomes(base, user) == ["refused", "answered"]


class Trip(BaseModel):
    city: str
    days: int = Field(ge=2)
    by: Literal["train", "boat"]
    stops: list[str]


def test_a_reply_is_parsed_into_the_model_that_was_asked_for(openai: OpenAI) -> None:
    told = openai.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Trip)
    trip = told.choices[0].message.parsed
    assert trip == Trip(city="text", days=2, by="train", stops=[])
    with openai.chat.completions.stream(model=MODEL, messages=HELLO, response_format=Trip) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == trip


def test_a_json_object_is_one(openai: OpenAI) -> None:
    told = openai.chat.completions.create(model=MODEL, messages=HELLO, response_format={"type": "json_object"})
    assert isinstance(json.loads(told.choices[0].message.content or ""), dict)


def test_a_tool_of_several_parameters_is_called_with_all_of_them(openai: OpenAI) -> None:
    tool = pydantic_function_tool(Trip, name="plan_trip")
    asks: Any = [{"role": "user", "content": "plan_trip to the sea"}]
    told = openai.chat.completions.parse(model=MODEL, messages=asks, tools=[tool])
    calls = told.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].function.parsed_arguments == Trip(city="plan_trip to the sea", days=2, by="train", stops=[])


def test_the_answer_has_an_id_of_its_request_and_all_that_the_sdk_knows(openai: OpenAI) -> None:
    told = openai.chat.completions.create(model=MODEL, messages=HELLO, extra_headers={"x-request-id": "r7"})
    assert (told._request_id, told.service_tier, told.system_fingerprint) == ("r7", "default", "fp_mock")
    assert (openai.chat.completions.create(model=MODEL, messages=HELLO)._request_id or "").startswith("req_")
    assert told.choices[0].message.annotations == []
    assert told.usage is not None
    assert told.usage.prompt_tokens_details is not None
    assert told.usage.prompt_tokens_details.cached_tokens == 0
    assert told.usage.completion_tokens_details is not None
    assert told.usage.completion_tokens_details.rejected_prediction_tokens == 0
