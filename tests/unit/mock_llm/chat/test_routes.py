"""Chat completions through the application: which usage, which choices, which of them are the same each time."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from mock_llm.app import MockApp, create_app
from mock_llm.config import Settings
from mock_llm.essays import ESSAYS
from mock_llm.mock import Mock
from mock_llm.usage import TokenRange
from tests.unit.mock_llm.told import chat_usage

pytestmark = pytest.mark.anyio

URL = "/v1/chat/completions"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "one two three four"}]}
STREAM: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
FORMS = pytest.mark.parametrize("form", [{}, STREAM], ids=["json", "stream"])
MODELS = """\
models:
  - {id: first, usage: {prompt_tokens: 56, completion_tokens: 700}}
  - {id: big, usage: {completion_tokens: {min: 2000, max: 2001}, cached_tokens: 3}}
"""


def client(app: MockApp | None = None) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app or create_app(Settings(seed=7))), base_url="http://mock")


@pytest.fixture
def listed(tmp_path: Path) -> MockApp:
    file = tmp_path / "models.yaml"
    file.write_text(MODELS, encoding="utf-8")
    return create_app(Settings(seed=7, models=file))


async def said(http: httpx.AsyncClient, asked: dict[str, Any], **headers: str) -> dict[str, Any]:
    """Model, usage and texts of an answer in either form."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    response = await http.post(URL, json=HELLO | asked, headers=sent)
    assert response.status_code == 200, response.text
    if not asked.get("stream"):
        document = response.json()
        texts = [choice["message"]["content"] for choice in document["choices"]]
        reasons = [choice["finish_reason"] for choice in document["choices"]]
        return {"model": document["model"], "usage": document["usage"], "texts": texts, "reasons": reasons}
    *chunks, last = [json.loads(event[6:]) for event in response.text.split("\n\n")[:-2]]
    texts = [""] * asked.get("n", 1)
    reasons = [""] * asked.get("n", 1)
    for choice in (chunk["choices"][0] for chunk in chunks):
        texts[choice["index"]] += choice["delta"].get("content", "")
        reasons[choice["index"]] = choice["finish_reason"]
    return {"model": last["model"], "usage": last["usage"], "texts": texts, "reasons": reasons}


@FORMS
async def test_headers_choose_the_usage_to_the_token_and_the_ledger_has_it(form: dict[str, Any]) -> None:
    async with client() as http:
        headers = {"x_mock_prompt_tokens": "56", "x_mock_completion_tokens": "700", "x_mock_cached_tokens": "6"}
        answer = await said(http, form, **headers)
        assert answer["usage"] == chat_usage(56, 700, 6)
        (row,) = (await http.get("/ledger")).json()["callers"]
        assert [row[key] for key in ("prompt_tokens", "completion_tokens", "cached_tokens")] == [56, 700, 6]
        capped = await said(http, form | {"max_tokens": 9}, **headers)
        assert (capped["usage"], capped["reasons"]) == (chat_usage(56, 9, 6), ["length"])


async def test_a_wrong_usage_header_is_refused_before_anything_is_drawn() -> None:
    async with client() as http:
        response = await http.post(URL, json=HELLO, headers={"x-mock-completion-tokens": "many"})
        assert (response.status_code, response.json()["error"]["param"]) == (400, "x-mock-completion-tokens")
        after = await said(http, {})
    async with client() as http:
        assert await said(http, {}) == after


@FORMS
async def test_a_listed_model_says_its_usage_and_a_header_comes_before_it(listed: MockApp, form: dict[str, Any]) -> None:
    async with client(listed) as http:
        answer = await said(http, form)
        assert (answer["model"], answer["usage"]) == ("first", chat_usage(56, 700))
        big = await said(http, form | {"model": "big"})
        assert big["usage"] in (chat_usage(5, 2000, 3), chat_usage(5, 2001, 3))
        assert (await said(http, form | {"model": "first"}, x_mock_completion_tokens="8"))["usage"] == chat_usage(56, 8)


async def test_a_model_that_is_not_listed_is_refused_and_entered_as_that(listed: MockApp) -> None:
    async with client(listed) as http:
        response = await http.post(URL, json=HELLO | {"model": "gpt-4o"})
        assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
        (entry,) = (await http.get("/ledger/entries")).json()["entries"]
        assert (entry["outcome"], entry["code"], entry["model"]) == ("refused", "model_not_found", "gpt-4o")
        assert (await http.get("/ledger")).json() == {"callers": [], "models": []}


async def test_the_range_is_the_settings() -> None:
    async with client(create_app(Settings(tokens=TokenRange(5, 5)))) as http:
        assert (await said(http, {}))["usage"]["completion_tokens"] == 5


@FORMS
async def test_several_choices_are_drawn_each_for_itself_and_cost_their_sum(form: dict[str, Any]) -> None:
    async with client() as http:
        answer = await said(http, form | {"n": 8})
        assert set(answer["texts"]) <= set(ESSAYS)
        assert len(set(answer["texts"])) > 1
        assert answer["reasons"] == ["stop"] * 8
        assert 8 * 400 <= answer["usage"]["completion_tokens"] <= 8 * 1500
        limited = await said(http, form | {"n": 8, "max_tokens": 10})
        assert (limited["usage"]["completion_tokens"], limited["reasons"]) == (80, ["length"] * 8)
        shared = await said(http, form | {"n": 3}, x_mock_completion_tokens="700")
        assert shared["usage"]["completion_tokens"] == 700


@FORMS
async def test_a_text_ends_before_its_stop(form: dict[str, Any]) -> None:
    async with client() as http:
        answer = await said(http, form | {"stop": ". "})
        (text,) = answer["texts"]
        assert ". " not in text
        assert any(essay.startswith(text + ". ") for essay in ESSAYS)
        assert answer["reasons"] == ["stop"]
        assert answer["usage"]["completion_tokens"] < 400


@pytest.mark.parametrize("fixing", [{"temperature": 0}, {"seed": 5}])
async def test_a_request_without_heat_or_with_a_seed_gets_the_same_answer_each_time(fixing: dict[str, Any]) -> None:
    async with client() as http:
        answers = [await said(http, fixing) for _ in range(6)]
        assert all(answer == answers[0] for answer in answers)
        assert await said(http, fixing | STREAM) == answers[0]
        assert any([await said(http, fixing | {"model": f"m{number}"} | {"n": 2}) != answers[0] for number in range(3)])
        assert len({str(await said(http, {})) for _ in range(6)}) > 1


class Clock:
    """Notes the delays, and waits for none of them."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


SLOW = Settings(ttft_ms=200, itl_ms=10, tokens=TokenRange(101, 101))


async def test_a_whole_answer_takes_as_long_as_its_tokens() -> None:
    clock = Clock()
    async with client(MockApp(Mock(SLOW, clock.sleep))) as http:
        await said(http, {})
        assert clock.slept == [pytest.approx(1.2)]


async def test_a_stream_waits_before_its_first_chunk_and_between_its_pieces() -> None:
    clock = Clock()
    async with client(MockApp(Mock(SLOW, clock.sleep))) as http:
        response = await http.post(URL, json=HELLO | STREAM)
        pieces = sum('"delta":{"content":' in event for event in response.text.split("\n\n"))
        assert clock.slept == [pytest.approx(0.2), *[pytest.approx(1.01 / pieces)] * (pieces - 1)]


async def test_delays_are_the_same_in_every_run_of_one_seed() -> None:
    runs = []
    for _ in range(2):
        clock = Clock()
        settings = Settings(seed=7, ttft_ms=200, ttft_deviation_ms=50, itl_ms=10, itl_deviation_ms=5)
        async with client(MockApp(Mock(settings, clock.sleep))) as http:
            await said(http, {})
            await said(http, STREAM)
        runs.append(clock.slept)
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == len(runs[0])


async def test_no_two_calls_of_an_answer_have_one_id() -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("one", "two")]
    async with client() as http:
        choices = (await http.post(URL, json=HELLO | {"tools": tools, "n": 3})).json()["choices"]
        ids = [call["id"] for choice in choices for call in choice["message"]["tool_calls"]]
        assert len(set(ids)) == len(ids) == 6


@FORMS
async def test_json_that_is_asked_for_is_said_in_place_of_an_essay(form: dict[str, Any]) -> None:
    async with client() as http:
        answer = await said(http, form | {"response_format": {"type": "json_object"}, "n": 2})
        assert [json.loads(text) for text in answer["texts"]] == [{"answer": "text"}] * 2


async def test_what_tools_said_is_not_repeated_in_more_choices_than_there_is_room_for() -> None:
    ids = [f"c{number}" for number in range(1000)]
    calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ids]
    results = [{"role": "tool", "tool_call_id": each, "content": "x" * 200} for each in ids]
    messages = [*HELLO["messages"], {"role": "assistant", "tool_calls": calls}, *results]
    async with client() as http:
        for choices, status in ((70, 200), (90, 400)):
            assert (await http.post(URL, json={"messages": messages, "n": choices})).status_code == status
