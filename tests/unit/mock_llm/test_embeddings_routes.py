import base64
import json
import struct
from array import array
from pathlib import Path
from typing import Any

import httpx
import pytest

from mock_llm.app import create_app
from mock_llm.config import Settings
from mock_llm.embeddings import answer
from mock_llm.embeddings.vectors import vector

pytestmark = pytest.mark.anyio

URL = "/v1/embeddings"
ALICE = {"X-Team-ID": "dba", "X-User-Id": "alice"}
HELLO: dict[str, Any] = {"input": ["one two", "three"], "dimensions": 4, "model": "text-embed"}


def client(**settings: Any) -> httpx.AsyncClient:
    app = create_app(Settings(seed=7, **settings))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mock", headers=ALICE)


async def entries(http: httpx.AsyncClient) -> list[tuple[Any, ...]]:
    told = (await http.get("/ledger/entries")).json()["entries"]
    return [(entry["endpoint"], entry["outcome"], entry["model"], entry["prompt_tokens"]) for entry in told]


async def test_an_answer_has_a_vector_for_each_input_and_the_ledger_agrees() -> None:
    async with client() as http:
        answer = (await http.post(URL, json=HELLO)).json()
        assert (answer["object"], answer["model"]) == ("list", "text-embed")
        assert answer["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
        assert [(row["object"], row["index"], len(row["embedding"])) for row in answer["data"]] == [
            ("embedding", 0, 4),
            ("embedding", 1, 4),
        ]
        assert await entries(http) == [(URL, "answered", "text-embed", 3)]
        (row,) = (await http.get("/ledger")).json()["callers"]
        assert (row["user"], row["prompt_tokens"], row["completion_tokens"], row["total_tokens"]) == ("alice", 3, 0, 3)


async def test_base64_and_numbers_are_the_same_vectors() -> None:
    async with client() as http:
        numbers = (await http.post(URL, json=HELLO)).json()
        packed = (await http.post(URL, json=HELLO | {"encoding_format": "base64"})).json()
        for number, text in zip(numbers["data"], packed["data"], strict=True):
            assert list(struct.unpack("<4f", base64.b64decode(text["embedding"]))) == number["embedding"]


async def test_the_prompts_tokens_can_be_asked_for_and_there_is_no_completion() -> None:
    async with client() as http:
        headers = {"x-mock-prompt-tokens": "56", "x-mock-completion-tokens": "700"}
        answer = (await http.post(URL, json=HELLO, headers=headers)).json()
        assert answer["usage"] == {"prompt_tokens": 56, "total_tokens": 56}
        (row,) = (await http.get("/ledger")).json()["callers"]
        assert (row["prompt_tokens"], row["completion_tokens"]) == (56, 0)


async def test_a_refusal_is_openais_and_is_entered() -> None:
    async with client() as http:
        response = await http.post(URL, json=HELLO | {"input": ""})
        assert response.status_code == 400
        assert response.json()["error"]["param"] == "input"
        assert (await http.post(URL, content=b"{")).status_code == 400
        assert await entries(http) == [(URL, "refused", None, None)] * 2


async def test_a_model_that_is_not_served_is_not_found(tmp_path: Path) -> None:
    models = tmp_path / "models.yaml"
    models.write_text("models: [{id: text-embed}]")
    async with client(models=models) as http:
        assert (await http.post(URL, json=HELLO)).status_code == 200
        response = await http.post(URL, json=HELLO | {"model": "else"})
        assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


async def test_a_wrong_model_is_refused() -> None:
    async with client() as http:
        assert (await http.post(URL, json=HELLO | {"model": 1})).json()["error"]["param"] == "model"


@pytest.mark.parametrize("by", ["header", "input"])
async def test_a_fault_comes_by_header_or_by_the_last_inputs_words(by: str) -> None:
    async with client() as http:
        asked = HELLO if by == "header" else HELLO | {"input": ["one", "two fault:rate_limited"]}
        response = await http.post(URL, json=asked, headers={"x-mock-fault": "rate_limited"} if by == "header" else {})
        assert (response.status_code, response.headers["retry-after"]) == (429, "0")
        assert await entries(http) == [(URL, "rate_limited", "text-embed", None)]


async def test_the_faults_of_a_body() -> None:
    async with client() as http:
        malformed = await http.post(URL, json=HELLO, headers={"x-mock-fault": "malformed"})
        with pytest.raises(json.JSONDecodeError):
            malformed.json()
        silent = (await http.post(URL, json=HELLO, headers={"x-mock-fault": "no_usage"})).json()
        assert "usage" not in silent
        assert len(silent["data"]) == 2
        assert (await http.get("/ledger")).json()["callers"] == []
        empty = (await http.post(URL, json=HELLO, headers={"x-mock-fault": "empty"})).json()
        assert (empty["data"], empty["usage"]["total_tokens"]) == ([], 3)
        assert len((await http.get("/ledger")).json()["callers"]) == 1


async def test_an_input_that_stands_there_twice_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[str] = []

    def counted(text: str, dimensions: int) -> "array[float]":
        computed.append(text)
        return vector(text, dimensions)

    monkeypatch.setattr(answer, "vector", counted)
    async with client() as http:
        rows = (await http.post(URL, json=HELLO | {"input": ["a", "b", "a"]})).json()["data"]
        assert [row["index"] for row in rows] == [0, 1, 2]
        assert rows[0]["embedding"] == rows[2]["embedding"] != rows[1]["embedding"]
        assert computed == ["a", "b"]
