"""A2A 0.3 over JSON-RPC as kagent's controller writes it, request by request and event by event."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx

USER = "alice"
HEADERS = {
    "a2a-version": "0.3",
    "x-user-id": USER,
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


def request(method: str, **params: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": str(uuid4()), "method": method, "params": params}


def said(text: str, method: str = "message/send", context: str | None = None, *, blocking: bool = True) -> dict[str, Any]:
    message = {"kind": "message", "messageId": str(uuid4()), "role": "user", "parts": [{"kind": "text", "text": text}]}
    named = {"contextId": context} if context else {}
    return request(method, message=message | named, configuration={"blocking": blocking})


async def call(http: httpx.AsyncClient, url: str, body: dict[str, Any], user: str = USER) -> Any:
    """The result. The answer must not be an error."""
    response = await http.post(url, json=body, headers=HEADERS | {"x-user-id": user})
    assert response.status_code == 200
    document = response.json()
    assert "error" not in document, document
    return document["result"]


async def task_of(http: httpx.AsyncClient, url: str, task_id: str) -> dict[str, Any]:
    task: dict[str, Any] = await call(http, url, request("tasks/get", id=task_id))
    return task


@asynccontextmanager
async def events(http: httpx.AsyncClient, url: str, body: dict[str, Any]) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    async with http.stream("POST", url, json=body, headers=HEADERS) as response:
        assert response.headers["content-type"].startswith("text/event-stream"), await response.aread()
        yield _results(response)


async def _results(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            document = json.loads(line.removeprefix("data: "))
            assert "error" not in document, document
            yield document["result"]


async def all_events(http: httpx.AsyncClient, url: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    async with events(http, url, body) as stream:
        return [event async for event in stream]


def text_of(message: dict[str, Any]) -> str:
    return "".join(part.get("text", "") for part in message["parts"])
