"""What the LLM says it used is what the team is charged, to the token."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.systems import Running
from tests.waiting import until

pytestmark = pytest.mark.anyio

HELLO = [{"role": "user", "content": "Hello."}]


def usage_of(stream: str) -> dict[str, int]:
    """The usage that a stream closes with."""
    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    usage: dict[str, int] = json.loads(lines[-2])["usage"]
    return usage


async def test_a_json_answer_is_charged_to_the_token(gateway: Running, http: httpx.AsyncClient) -> None:
    answers = [(await gateway.chat(http, "json")).json() for _ in range(5)]
    spent = sum(answer["usage"]["total_tokens"] for answer in answers)
    for window in ("month", "year"):
        account = await gateway.account("json", window)
        assert (account.used, account.ledger) == (spent, spent)


async def test_an_admitted_answer_says_what_is_left(gateway: Running, http: httpx.AsyncClient) -> None:
    before = (await gateway.account("json")).used
    headers = (await gateway.chat(http, "json")).headers
    assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("10000000", str(10_000_000 - before))
    assert int(headers["x-ratelimit-reset"]) > 0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stream_options": {"include_usage": True}},
        {"stream_options": {"include_usage": False}},
        {"stream_options": None},
    ],
    ids=["not asked for", "asked for", "refused", "null"],
)
async def test_a_stream_is_charged_whatever_the_caller_says_about_usage(
    gateway: Running, http: httpx.AsyncClient, options: dict[str, Any]
) -> None:
    before = (await gateway.account("sse")).used
    answer = await gateway.chat(http, "sse", stream=True, **options)
    assert answer.headers["content-type"].startswith("text/event-stream")
    spent = usage_of(answer.text)["total_tokens"]
    account = await gateway.account("sse")
    assert (account.used - before, account.balanced) == (spent, True)


@pytest.mark.parametrize(
    "body",
    [
        '{"str\\u0065am": true, "messages": [{"role": "user", "content": "Hello."}]}',
        '{"messages": [{"role": "user", "content": "}"}], "stream": true, "stream_options": {"include_usage": false}} \n\t',
        '{"stream": false, "messages": [{"role": "user", "content": "Hello."}], "stream": true}',
    ],
    ids=["escaped", "white space at the end", "twice"],
)
async def test_a_stream_asked_for_in_a_crooked_way_is_charged_too(gateway: Running, http: httpx.AsyncClient, body: str) -> None:
    before = (await gateway.account("sse")).used
    answer = await gateway.call(http, gateway.system.token("sse"), body)
    assert (await gateway.account("sse")).used - before == usage_of(answer.text)["total_tokens"]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ("nonsense", {}),
        ('{"stream": true, "messages": [], "temperature": NaN}', {}),
        ('{"stream": true, "messages": [],}', {}),
        ("", {}),
        ('{"stream": true, "messages": []}', {"content-type": "text/plain"}),
        ('{"stream": true, "messages": []}', {"content-encoding": "gzip"}),
        ('["stream"]', {}),
        ('{"stream": "yes", "messages": [{"role": "user", "content": "Hello."}]}', {}),
    ],
    ids=["no JSON", "NaN", "a comma too many", "empty", "sent as text", "said to be gzip", "a list", "a stream of text"],
)
async def test_what_the_gateway_cannot_read_is_refused_and_costs_nothing(
    gateway: Running, http: httpx.AsyncClient, body: str, headers: dict[str, str]
) -> None:
    forwarded = await gateway.forwarded(http)
    answer = await gateway.call(http, gateway.system.token("careless"), body, **headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    account = await gateway.account("careless")
    assert (account.used, account.ledger) == (0, 0)
    if body not in ('["stream"]', ""):  # of these two the LLM can bill nothing, and says so itself
        assert await gateway.forwarded(http) == forwarded


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
async def test_what_a_caller_says_beside_json_does_not_matter(
    gateway: Running, http: httpx.AsyncClient, content_type: str
) -> None:
    body = {"messages": HELLO, "stream": True}
    before = (await gateway.account("sse")).used
    answer = await gateway.call(http, gateway.system.token("sse"), body, **{"content-type": content_type})
    assert (await gateway.account("sse")).used - before == usage_of(answer.text)["total_tokens"]


async def test_fifty_calls_at_once_are_charged_to_the_token(gateway: Running, http: httpx.AsyncClient) -> None:
    subjects = ("burst", "burst-user")
    answers = await asyncio.gather(*(gateway.chat(http, subjects[n % 2], stream=n % 2 == 0) for n in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    spent = sum((usage_of(each.text) if n % 2 == 0 else each.json()["usage"])["total_tokens"] for n, each in enumerate(answers))
    account = await gateway.account("burst")
    assert (account.used, account.ledger) == (spent, spent)


async def test_the_call_that_crosses_completes_and_the_next_is_refused_with_the_whole_contract(
    gateway: Running, http: httpx.AsyncClient
) -> None:
    crossing = await gateway.chat(http, "tiny")
    used = crossing.json()["usage"]["total_tokens"]
    assert (await gateway.account("tiny")).used == used
    forwarded = await gateway.forwarded(http)
    refusal = await gateway.chat(http, "tiny")
    assert refusal.status_code == 429
    error = refusal.json()["error"]
    assert (error["type"], error["code"]) == ("budget_exceeded", "budget_exhausted")
    assert error["budget"] | {"reset_at": None} == {
        "id": "test-budget/tiny/month",
        "subject": {"team": "tiny"},
        "unit": "tokens",
        "limit": 1,
        "used": used,
        "reserved": 0,
        "remaining": 0,
        "window": "month",
        "alignment": "calendar",
        "action": "block",
        "reset_at": None,
        "retryable": False,
    }
    headers = refusal.headers
    assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("1", "0")
    assert headers["retry-after"] == headers["x-ratelimit-reset"]
    assert (headers["x-should-retry"], headers["content-type"]) == ("false", "application/json")
    assert await gateway.forwarded(http) == forwarded
    assert (await gateway.account("tiny")).used == used


async def test_the_longer_window_refuses_when_the_shorter_has_room(gateway: Running, http: httpx.AsyncClient) -> None:
    assert (await gateway.chat(http, "yearly")).status_code == 200
    await gateway.books.settled()
    refusal = await gateway.chat(http, "yearly")
    assert (refusal.status_code, refusal.json()["error"]["budget"]["id"]) == (429, "test-budget/yearly/year")


async def test_a_team_without_budget_may_still_list_the_models(gateway: Running, http: httpx.AsyncClient) -> None:
    assert (await gateway.chat(http, "blocked")).status_code == 429
    headers = {"authorization": f"Bearer {gateway.system.token('blocked')}"}
    answer = await http.get(f"{gateway.system.addresses.gateway}/v1/models", headers=headers)
    assert (answer.status_code, answer.json()["object"]) == (200, "list")


async def test_each_call_is_logged_with_who_what_and_how_much(gateway: Running, http: httpx.AsyncClient) -> None:
    usage = (await gateway.chat(http, "logged-user", model="gpt-4o")).json()["usage"]
    wanted = {
        "user_id": "logged-user",
        "team": "logged",
        "model": "gpt-4o",
        "status": 200,
        "tokens_in": usage["prompt_tokens"],
        "tokens_out": usage["completion_tokens"],
        "tokens_total": usage["total_tokens"],
    }

    def is_logged() -> bool:
        entries = [json.loads(line) for name, line in gateway.lines if name == "gateway" and line.startswith("{")]
        return any(wanted.items() <= entry.items() for entry in entries)

    await until(is_logged, f"a line of the access log with {wanted}")


async def test_a_body_that_is_too_large_is_refused_in_the_shape_of_other_errors(
    gateway: Running, http: httpx.AsyncClient
) -> None:
    answer = await gateway.chat(http, "careless", padding="x" * 9_000_000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


async def test_no_token_is_ever_written(gateway: Running, http: httpx.AsyncClient) -> None:
    await gateway.chat(http, "logged")
    signature = gateway.system.token("logged").rsplit(".", 1)[1]
    assert not any(signature in line for _, line in gateway.lines)
