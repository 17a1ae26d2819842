"""Slow answers on a real socket. Delays are so long that a test which waited for one would be stopped."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.waiting import until

from .serving import serving

pytestmark = pytest.mark.anyio

PATH = "/v1/chat/completions"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}
STREAM: dict[str, Any] = HELLO | {"stream": True, "stream_options": {"include_usage": True}}
HOURS = "600000"


@pytest.fixture
def slow() -> Iterator[str]:
    with serving("mock_llm", MOCK_LLM_TTFT_MS=HOURS) as (_, base):
        yield base


async def entries(http: httpx.AsyncClient) -> list[tuple[str, int | None]]:
    found = (await http.get("/ledger/entries")).json()["entries"]
    return [(entry["outcome"], entry["completion_tokens"]) for entry in found]


@pytest.mark.parametrize("body", [HELLO, STREAM], ids=["json", "stream"])
async def test_a_client_that_leaves_before_the_first_token_is_noticed_at_once_and_charged_nothing(
    slow: str, body: dict[str, Any]
) -> None:
    async with httpx.AsyncClient(base_url=slow, trust_env=False) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post(PATH, json=body, timeout=httpx.Timeout(5, read=0.2))

        async def is_noticed() -> bool:
            return await entries(http) == [("gone", None)]

        await until(is_noticed, "the mock to notice that the client has left")
        assert (await http.get("/ledger")).json()["callers"] == []


async def test_a_client_that_leaves_between_two_tokens_is_noticed_at_once_and_charged_nothing() -> None:
    with serving("mock_llm", MOCK_LLM_ITL_MS=HOURS) as (_, base):
        async with httpx.AsyncClient(base_url=base, trust_env=False) as http:
            async with http.stream("POST", PATH, json=STREAM) as response:
                events = response.aiter_lines()
                assert json.loads((await anext(events))[6:])["choices"][0]["delta"]["role"] == "assistant"

            async def is_noticed() -> bool:
                return await entries(http) == [("gone", None)]

            await until(is_noticed, "the mock to notice that the client has left")
