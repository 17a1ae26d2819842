"""Responses through the official SDK."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError, OpenAI
from openai.types.responses import Response, ResponseFunctionToolCall
from pydantic import BaseModel, Field

from mock_llm.essays import ESSAYS

from .openai_client import PROMPT, TOLD, TOOL, WOVEN, connect, connect_async, outcomes, totals
from .serving import serving

pytestmark = pytest.mark.anyio

MODEL = "mock-essay-7b"
TOOLS: Any = [{"type": "function"} | TOOL]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving("mock_llm", MOCK_LLM_SEED="7") as (_, base):
        yield base


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


@pytest.fixture
def openai(url: str, user: str) -> Iterator[OpenAI]:
    with connect(url, user, max_retries=0) as client:
        yield client


@pytest.fixture
async def async_openai(url: str, user: str) -> AsyncIterator[AsyncOpenAI]:
    async with connect_async(url, user, max_retries=0) as client:
        yield client


def used(told: Response) -> tuple[int, int]:
    assert told.usage is not None
    return told.usage.input_tokens, told.usage.output_tokens


def called(told: Response) -> ResponseFunctionToolCall:
    (call,) = told.output
    assert isinstance(call, ResponseFunctionToolCall)
    return call


def test_a_response(openai: OpenAI, url: str, user: str) -> None:
    told = openai.responses.create(model=MODEL, input="one two three four", instructions="be brief", metadata={"a": "b"})
    assert told.output_text in ESSAYS
    assert (told.status, told.model, told.instructions, told.metadata) == ("completed", MODEL, "be brief", {"a": "b"})
    assert used(told)[0] == int(6 * 1.3)
    assert totals(url, user) == (1, *used(told))
    assert outcomes(url, user) == ["answered"]


def test_a_limit_makes_it_incomplete(openai: OpenAI) -> None:
    told = openai.responses.create(model=MODEL, input="hello", max_output_tokens=16)
    assert told.status == "incomplete"
    assert told.incomplete_details is not None
    assert told.incomplete_details.reason == "max_output_tokens"
    assert used(told)[1] == 16


def test_the_stream_helper(openai: OpenAI, url: str, user: str) -> None:
    with openai.responses.stream(model=MODEL, input="hello") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == final.output_text
    assert final.output_text in ESSAYS
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    assert totals(url, user) == (1, *used(final))


async def test_a_stream_async(async_openai: AsyncOpenAI) -> None:
    async with await async_openai.responses.create(model=MODEL, input="hello", stream=True, max_output_tokens=40) as stream:
        *_, last = [event async for event in stream]
    assert last.type == "response.incomplete"
    assert used(last.response)[1] == 40


async def test_the_stream_helper_async(async_openai: AsyncOpenAI) -> None:
    async with async_openai.responses.stream(model=MODEL, input=PROMPT, tools=TOOLS) as stream:
        said = [event.delta async for event in stream if event.type == "response.function_call_arguments.delta"]
        final = await stream.get_final_response()
    assert json.loads("".join(said)) == json.loads(called(final).arguments) == {"message": PROMPT}


def test_a_tool_round_trip_by_the_previous_response(openai: OpenAI) -> None:
    first = openai.responses.create(model=MODEL, input=PROMPT, tools=TOOLS)
    call = called(first)
    assert (call.name, json.loads(call.arguments)) == (TOOL["name"], {"message": PROMPT})
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": TOLD}
    second = openai.responses.create(model=MODEL, input=[output], tools=TOOLS, previous_response_id=first.id)
    assert second.output_text.removeprefix(f"{WOVEN}\n\n") in ESSAYS
    assert second.previous_response_id == first.id


def test_a_tool_round_trip_by_the_items(openai: OpenAI) -> None:
    asks: Any = [{"role": "user", "content": [{"type": "input_text", "text": PROMPT}]}]
    first = openai.responses.create(model=MODEL, input=asks, tools=TOOLS, store=False)
    said: Any = [item.model_dump(exclude_none=True) for item in first.output]
    output: Any = {"type": "function_call_output", "call_id": called(first).call_id, "output": TOLD}
    with openai.responses.stream(model=MODEL, input=[*asks, *said, output], tools=TOOLS) as stream:
        second = stream.get_final_response()
    assert second.output_text.removeprefix(f"{WOVEN}\n\n") in ESSAYS


async def test_a_conversation_goes_on_async(async_openai: AsyncOpenAI) -> None:
    first = await async_openai.responses.create(model=MODEL, input="one two three four")
    second = await async_openai.responses.create(model=MODEL, input="five", previous_response_id=first.id)
    assert used(second)[0] == int((4 + len(first.output_text.split()) + 1) * 1.3)


def test_a_response_is_retrieved_and_deleted(openai: OpenAI) -> None:
    told = openai.responses.create(model=MODEL, input=[{"role": "user", "content": str(number)} for number in range(30)])
    assert openai.responses.retrieve(told.id) == told
    items: list[Any] = list(openai.responses.input_items.list(told.id, limit=7, order="asc"))
    assert [item.content[0].text for item in items] == [str(number) for number in range(30)]
    openai.responses.delete(told.id)
    with pytest.raises(NotFoundError, match="not found"):
        openai.responses.retrieve(told.id)
    with pytest.raises(BadRequestError) as caught:
        openai.responses.create(model=MODEL, input="hello", previous_response_id=told.id)
    assert caught.value.code == "previous_response_not_found"


class Trip(BaseModel):
    city: str
    days: int = Field(ge=2)


def test_a_response_is_parsed_into_the_model_that_was_asked_for(openai: OpenAI) -> None:
    told = openai.responses.parse(model=MODEL, input="hello", text_format=Trip)
    assert told.output_parsed == Trip(city="text", days=2)
    assert (told._request_id or "").startswith("req_")
    with openai.responses.stream(model=MODEL, input="hello", text_format=Trip) as stream:
        assert stream.get_final_response().output_parsed == told.output_parsed
