"""The id of a request in its answer, whatever that is, and in the journal."""

from typing import Any

import httpx
import pytest

from mock_llm.app import create_app
from mock_llm.config import Settings

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}
EACH = pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("POST", CHAT, HELLO, {}),
        ("POST", CHAT, HELLO | {"stream": True}, {}),
        ("POST", CHAT, HELLO, {"x-mock-fault": "rate_limited"}),
        ("POST", CHAT, {}, {}),
        ("POST", "/v1/embeddings", {"input": "x"}, {}),
        ("POST", "/v1/responses", {"input": "x"}, {}),
        ("GET", "/v1/models", None, {}),
        ("GET", CHAT, None, {}),
        ("GET", "/nothing", None, {}),
    ],
)


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(Settings())), base_url="http://mock")


@EACH
async def test_every_answer_has_the_requests(method: str, path: str, body: Any, headers: dict[str, str]) -> None:
    async with client() as http:
        for sent, told in (("r1", "r1"), ("r" * 500, "r" * 128)):
            response = await http.request(method, path, json=body, headers=headers | {"x-request-id": sent})
            assert response.headers.get_list("x-request-id") == [told]


@EACH
async def test_or_one_of_its_own(method: str, path: str, body: Any, headers: dict[str, str]) -> None:
    async with client() as http:
        ids = set()
        for sent in ({}, {"x-request-id": ""}):
            response = await http.request(method, path, json=body, headers=headers | sent)
            (own,) = response.headers.get_list("x-request-id")
            ids.add(own)
            assert own.startswith("req_")
        assert len(ids) == 2
        if method == "POST":
            entries = (await http.get("/ledger/entries")).json()["entries"]
            assert {entry["request_id"] for entry in entries} == ids
