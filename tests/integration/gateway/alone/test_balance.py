"""`GET /v1/budget`: a caller's own balance, and no way further into the budget service."""

import httpx
import pytest

from tests.integration.gateway.alone.gateway import Gateway

pytestmark = pytest.mark.anyio

KEY = "sk-alice-abc123def456"
PLANTED = {"x-team-id": "rich", "x-user-id": "rich", "x-virtual-key": "rich", "x-dimension-anything": "rich"}


def bearer(credential: str) -> dict[str, str]:
    return {"authorization": f"Bearer {credential}"}


async def test_a_caller_is_told_by_its_token(alone: Gateway, http: httpx.AsyncClient) -> None:
    alone.callers.answers({"budgets": [{"id": "a"}]})
    token = alone.token(team="dba", sub="alice", group="it")
    answer = await http.get(f"{alone.url}/v1/budget", headers=PLANTED | bearer(token))
    assert (answer.status_code, answer.json()) == (200, {"budgets": [{"id": "a"}]})
    (heard,) = alone.callers.heard
    stamped = {"x-team-id": "dba", "x-user-id": "alice", "x-dimension-group": "it"}
    assert stamped.items() <= heard.headers.items()
    assert "rich" not in heard.headers.values()
    assert "authorization" not in heard.headers


async def test_a_caller_is_told_by_its_key(alone: Gateway, http: httpx.AsyncClient) -> None:
    alone.budgets.keys[KEY] = {"x-user-id": "alice", "x-virtual-key": "alice"}
    answer = await http.get(f"{alone.url}/v1/budget", headers=PLANTED | bearer(KEY))
    (heard,) = alone.callers.heard
    assert (answer.status_code, heard.headers["x-virtual-key"]) == (200, "alice")
    assert "rich" not in heard.headers.values()
    assert KEY not in str(heard)


async def test_it_costs_nothing_and_is_there_when_the_budget_is_spent(alone: Gateway, http: httpx.AsyncClient) -> None:
    alone.budgets.refuses = True
    answer = await http.get(f"{alone.url}/v1/budget?of=me", headers=bearer(alone.token()))
    assert (answer.status_code, alone.budgets.asked, alone.llm.heard) == (200, [], [])


async def test_a_service_that_stalls_is_said_to_be_away(alone: Gateway, http: httpx.AsyncClient) -> None:
    alone.callers.streams(stops_before=0)
    answer = await http.get(f"{alone.url}/v1/budget", headers=bearer(alone.token()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "budget_service_away")


@pytest.mark.parametrize("headers", [bearer("sk-nobody"), bearer("a.b.c"), {}], ids=["a key", "a token", "nothing"])
async def test_a_stranger_is_told_nothing(alone: Gateway, http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await http.get(f"{alone.url}/v1/budget", headers=PLANTED | headers)
    assert (answer.status_code, alone.callers.heard) == (401, [])


async def test_a_token_without_a_team_is_told_nothing(alone: Gateway, http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{alone.url}/v1/budget", headers=PLANTED | bearer(alone.token(team=None)))
    assert (answer.status_code, alone.callers.heard) == (403, [])


@pytest.mark.parametrize("credential", ["a token", "a key"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/budget"),
        ("DELETE", "/v1/budget"),
        ("GET", "/v1/budget/"),
        ("GET", "/v1/budget/../budgets"),
        ("GET", "/v1/budget%2f..%2fbudgets"),
        ("GET", "//v1/budgets"),
        ("GET", "/v1/budgets"),
        ("POST", "/v1/budgets/reset"),
        ("POST", "/v1/budgets/raise"),
        ("GET", "/metrics"),
        ("GET", "/readyz"),
        ("POST", "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"),
    ],
)
async def test_nothing_else_of_the_budget_service_can_be_reached(
    alone: Gateway, http: httpx.AsyncClient, method: str, path: str, credential: str
) -> None:
    alone.budgets.keys[KEY] = {"x-user-id": "alice", "x-virtual-key": "alice"}
    headers = bearer(KEY if credential == "a key" else alone.token()) | {"content-type": "application/json"}
    answer = await http.request(method, httpx.URL(alone.url, raw_path=path.encode()), headers=headers, content=b"{}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert "GET /v1/budget" in answer.json()["error"]["message"]
    assert (alone.callers.heard, alone.llm.heard, alone.budgets.asked) == ([], [], [])
