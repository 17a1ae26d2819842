"""A client that leaves, played as uvicorn plays it: after a disconnect `send` does nothing and `receive` says so at once."""

import json
from typing import Any

import anyio
import httpx
import pytest
from starlette.types import Message, Scope

from mock_llm.app import MockApp, create_app
from mock_llm.config import Settings

pytestmark = pytest.mark.anyio

MESSAGES = [{"role": "user", "content": "hello"}]
STREAM = {"messages": MESSAGES, "stream": True, "stream_options": {"include_usage": True}}


class LeavingClient:
    """Leaves just before the `leaves_at`th body message would be written: none of that message reaches it."""

    def __init__(self, body: dict[str, Any], leaves_at: int) -> None:
        self._body = json.dumps(body).encode()
        self._asked = False
        self._left = leaves_at == 0
        self._leaves_at = leaves_at
        self.got: list[bytes] = []
        self.sends = 0

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        if not self._left:
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            return
        self.sends += 1
        self._left = self._left or self.sends == self._leaves_at
        if not self._left:
            self.got.append(message["body"])

    async def call(self, app: MockApp) -> None:
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "path": "/v1/chat/completions",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        await app(scope, self.receive, self.send)


async def ledger_of(app: MockApp) -> list[dict[str, int]]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mock") as http:
        callers: list[dict[str, int]] = (await http.get("/ledger")).json()["callers"]
        return callers


async def test_wherever_a_client_leaves_a_stream_the_ledger_has_its_usage_only_if_the_client_was_told() -> None:
    told = 0
    whole = LeavingClient(STREAM, leaves_at=-1)
    await whole.call(create_app(Settings(seed=7)))
    assert whole.got[-1] == b"data: [DONE]\n\n"
    for leaves_at in range(len(whole.got) + 2):
        app = create_app(Settings(seed=7))
        leaver = LeavingClient(STREAM, leaves_at)
        await leaver.call(app)
        usage = [json.loads(event[6:])["usage"] for event in leaver.got if b'"choices":[]' in event]
        rows = await ledger_of(app)
        assert [row["total_tokens"] for row in rows] == [told_usage["total_tokens"] for told_usage in usage]
        told += len(usage)
    # It may leave before the end event, or after it.
    assert told == 2


async def test_a_stream_ends_soon_after_its_client_has_left() -> None:
    app = create_app(Settings(seed=7))
    leaver = LeavingClient(STREAM, leaves_at=3)
    await leaver.call(app)
    assert leaver.sends == 3
    assert await outcomes_of(app) == ["gone"]


async def test_a_client_that_leaves_before_its_body_is_whole_costs_nothing_and_raises_nothing() -> None:
    class Impatient(LeavingClient):
        async def receive(self) -> Message:
            return {"type": "http.disconnect"}

    app = create_app(Settings(seed=7))
    leaver = Impatient(STREAM, leaves_at=0)
    await leaver.call(app)
    assert leaver.sends == 0
    assert await ledger_of(app) == []
    assert await outcomes_of(app) == ["gone"]


async def outcomes_of(app: MockApp) -> list[str]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mock") as http:
        return [entry["outcome"] for entry in (await http.get("/ledger/entries")).json()["entries"]]


async def test_a_call_with_a_fault_has_the_faults_name_though_its_client_left() -> None:
    app = create_app(Settings(seed=7))
    await LeavingClient(STREAM | {"messages": [{"role": "user", "content": "fault:no_usage"}]}, leaves_at=2).call(app)
    assert await outcomes_of(app) == ["no_usage"]
