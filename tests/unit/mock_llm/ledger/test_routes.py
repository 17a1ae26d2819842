from pathlib import Path
from typing import Any

import httpx
import pytest

from mock_llm.app import MockApp, create_app
from mock_llm.config import Settings

pytestmark = pytest.mark.anyio

URL = "/v1/chat/completions"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "one two three four"}]}


def client(app: MockApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mock")


def stamped(user: str, request_id: str = "r") -> dict[str, str]:
    return {"x-team-id": "dba", "x-user-id": user, "x-request-id": request_id}


async def entries(http: httpx.AsyncClient, **wanted: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await http.get("/ledger/entries", params=wanted)).json()["entries"]
    return found


async def test_the_models_are_listed_and_each_can_be_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text("models: [{id: big}, {id: org/small}]", encoding="utf-8")
    async with client(create_app(Settings(models=file))) as http:
        models = (await http.get("/v1/models")).json()
        assert models["object"] == "list"
        assert [model["id"] for model in models["data"]] == ["big", "org/small"]
        assert (await http.get("/v1/models/org/small")).json() == models["data"][1]
        response = await http.get("/v1/models/gpt-4o")
        assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


async def test_without_a_list_there_is_one_model_and_any_other_is_served() -> None:
    async with client(create_app(Settings())) as http:
        (model,) = (await http.get("/v1/models")).json()["data"]
        assert model.keys() == {"id", "object", "created", "owned_by"}
        assert (model["id"], model["object"]) == ("mock-essay-7b", "model")
        assert (await http.get("/v1/models/gpt-4o")).json()["id"] == "gpt-4o"


async def test_the_ledger_adds_up_by_model_too() -> None:
    async with client(create_app(Settings())) as http:
        for model, user in (("a", "alice"), ("b", "bob"), ("a", "bob")):
            await http.post(URL, json=HELLO | {"model": model}, headers=stamped(user) | {"x-mock-completion-tokens": "10"})
        rows = (await http.get("/ledger")).json()["models"]
        assert rows == [
            {"model": "a", "requests": 2, "prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30, "cached_tokens": 0},
            {"model": "b", "requests": 1, "prompt_tokens": 5, "completion_tokens": 10, "total_tokens": 15, "cached_tokens": 0},
        ]


async def test_the_journal_says_what_became_of_each_call() -> None:
    async with client(create_app(Settings())) as http:
        await http.post(URL, json=HELLO, headers=stamped("alice", "r1") | {"x-mock-completion-tokens": "10"})
        await http.post(URL, json=HELLO | {"stream": True}, headers=stamped("bob", "r2"))
        await http.post(URL, json=HELLO | {"stream": 1}, headers=stamped("bob", "r3"))
        await http.post(URL, json=HELLO, headers=stamped("bob", "r4") | {"x-mock-fault": "overloaded"})
        told = [
            (entry["request_id"], entry["outcome"], entry["code"], entry["completion_tokens"]) for entry in await entries(http)
        ]
        assert told == [
            ("r4", "overloaded", "503", None),
            ("r3", "refused", "invalid_type", None),
            ("r2", "answered", None, None),
            ("r1", "answered", None, 10),
        ]
        assert [entry["request_id"] for entry in await entries(http, user="bob", outcome="answered")] == ["r2"]
        assert [entry["request_id"] for entry in await entries(http, request_id="r1", team="dba")] == ["r1"]
        assert [entry["request_id"] for entry in await entries(http, model="mock-essay-7b", limit="2")] == ["r4", "r2"]
        assert await entries(http, model="nope") == []


@pytest.mark.parametrize("limit", ["0", "1001", "many", ""])
async def test_a_wrong_limit_is_refused_in_openais_shape(limit: str) -> None:
    async with client(create_app(Settings())) as http:
        response = await http.get("/ledger/entries", params={"limit": limit})
        assert (response.status_code, response.json()["error"]["param"]) == (400, "limit")


async def test_a_short_journal_says_what_it_has_dropped() -> None:
    async with client(create_app(Settings(journal=2))) as http:
        for number in range(5):
            await http.post(URL, json=HELLO, headers=stamped("alice", f"r{number}"))
        page = (await http.get("/ledger/entries")).json()
        assert ([entry["request_id"] for entry in page["entries"]], page["dropped"]) == (["r4", "r3"], 3)


async def test_what_is_kept_of_a_hostile_request_is_short() -> None:
    async with client(create_app(Settings())) as http:
        headers = {"x-team-id": "t" * 5000, "x-user-id": "u" * 5000, "x-request-id": "r" * 5000}
        await http.post(URL, json=HELLO | {"model": "m" * 256}, headers=headers)
        (entry,) = await entries(http)
        assert (entry["team"], entry["user"]) == ("(other)", "(other)")
        assert (len(entry["request_id"]), len(entry["model"])) == (128, 256)
        (row,) = (await http.get("/ledger")).json()["models"]
        assert row["model"] == "m" * 256


async def test_after_a_reset_a_seeded_run_is_the_first_again() -> None:
    async with client(create_app(Settings(seed=7))) as http:

        async def run() -> list[str]:
            texts = []
            for fault in ("", "fault:overloaded*1"):
                body = {"messages": [{"role": "user", "content": f"hello {fault}"}]}
                texts += [(await http.post(URL, json=body, headers=stamped("alice"))).text for _ in range(2)]
            return [text.partition('"created"')[0] for text in texts]

        first = await run()
        assert len(set(first)) == 4
        assert (await http.delete("/ledger")).status_code == 204
        assert (await http.get("/ledger")).json() == {"callers": [], "models": []}
        assert (await http.get("/ledger/entries")).json() == {"entries": [], "dropped": 0}
        assert await run() == first


async def test_it_is_ready_until_it_is_stopped_and_healthy_until_the_end() -> None:
    app = create_app(Settings())
    async with client(app) as http:
        assert (await http.get("/readyz")).json() == {"status": "ok"}
        app.stop()
        response = await http.get("/readyz")
        assert (response.status_code, response.json()["error"]["type"]) == (503, "server_error")
        assert (await http.get("/healthz")).json() == {"status": "ok"}


async def test_metrics_are_the_ledgers() -> None:
    async with client(create_app(Settings())) as http:
        await http.post(URL, json=HELLO, headers={"x-mock-completion-tokens": "10"})
        response = await http.get("/metrics")
        assert response.headers["content-type"].startswith("text/plain; version=")
        assert 'mock_llm_tokens_total{kind="completion",model="mock-essay-7b"} 10.0' in response.text


@pytest.mark.parametrize(
    ("query", "param", "said"),
    [
        ({"teams": "dba"}, "teams", "'teams'. Supported values are: 'team', 'user'"),
        ({"outcome": "anwsered"}, "outcome", "'anwsered'. Supported values are: 'answered', 'refused', 'gone', 'rate_limited'"),
    ],
)
async def test_a_filter_that_is_misspelt_is_refused(query: dict[str, str], param: str, said: str) -> None:
    async with client(create_app(Settings())) as http:
        response = await http.get("/ledger/entries", params=query)
        assert (response.status_code, response.json()["error"]["param"]) == (400, param)
        assert said in response.json()["error"]["message"]
        assert (await http.get("/ledger/entries", params={"outcome": "reset"})).json()["entries"] == []
