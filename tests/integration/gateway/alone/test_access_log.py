"""The access log tells of each call what a budget goes by and what it used: enough to replay a day."""

import asyncio
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.gateway.alone.gateway import Gateway
from tests.waiting import until

pytestmark = pytest.mark.anyio


async def test_a_call_is_logged_with_who_what_for_and_how_much(alone: Gateway, http: httpx.AsyncClient) -> None:
    answer = await alone.call(http, alone.token(sub="alice", team="dba", tier="free"), model="gpt-4o", max_tokens=7)
    entry = await alone.logged(answer.headers["x-request-id"])
    wanted = {
        "user_id": "alice",
        "team": "dba",
        "key": None,
        "dimensions": {"group": None, "tier": "free", "tenant_id": None, "cost_center": None},
        "asked_model": "gpt-4o",
        "model": "the-llm's-own",
        "max_tokens": "7",
        "tokens_in": 10,
        "tokens_out": 20,
        "tokens_cached": 4,
        "tokens_total": 30,
        "status": 200,
        "method": "POST",
        "path": "/v1/chat/completions",
    }
    assert {name: entry[name] for name in wanted} == wanted
    assert entry["time"].startswith("20")


async def test_a_call_with_a_key_is_logged_with_the_keys_name(alone: Gateway, http: httpx.AsyncClient) -> None:
    alone.budgets.keys["sk-1"] = {"x-user-id": "alice", "x-virtual-key": "alice-key", "x-dimension-cost_center": "42"}
    entry = await alone.logged((await alone.call(http, "sk-1")).headers["x-request-id"])
    assert (entry["user_id"], entry["team"], entry["key"]) == ("alice", None, "alice-key")
    assert entry["dimensions"]["cost_center"] == "42"


async def test_a_refused_call_is_logged_with_what_it_asked_for(alone: Gateway, http: httpx.AsyncClient) -> None:
    alone.budgets.refuses = True
    answer = await alone.call(http, model="gpt-4o", max_tokens=7)
    entry = await alone.logged(answer.headers["x-request-id"])
    assert (entry["status"], entry["team"], entry["asked_model"], entry["max_tokens"]) == (429, "victim", "gpt-4o", "7")


async def test_what_a_caller_writes_at_length_is_logged_in_short(alone: Gateway, http: httpx.AsyncClient) -> None:
    answer = await alone.call(http, model="m" * 2_000, max_tokens="9" * 2_000)
    entry = await alone.logged(answer.headers["x-request-id"])
    assert (len(entry["asked_model"]), len(entry["max_tokens"])) == (256, 32)


PLANTED = b"x-team-id: rich\r\nx-user-id: rich\r\nx-virtual-key: rich\r\nx-dimension-group: rich\r\n"


@pytest.mark.parametrize(
    "request_line",
    [b"GET /v1/models HTTP/1.1\r\n", b"GET /%00 HTTP/1.1\r\nhost: x\r\n", b"GET /v1/models HTTP/1.1\r\nhost: x\r\n"],
    ids=["no host", "a bad path", "no token"],
)
async def test_a_request_that_is_refused_at_the_door_does_not_write_anybodys_name(alone: Gateway, request_line: bytes) -> None:
    before = len(alone.lines)
    reader, writer = await asyncio.open_connection(urlsplit(alone.url).hostname, urlsplit(alone.url).port)
    writer.write(request_line + PLANTED + b"connection: close\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 40")
    writer.close()
    await until(lambda: len(alone.lines) > before, "a line of the access log")
    assert not any("rich" in line for line in alone.lines[before:])
