"""Virtual keys: the budget service says whose a key is; without its word nothing goes on."""

import httpx
import pytest

from tests.integration.gateway.alone.budget_service import UNKNOWN_KEY
from tests.integration.gateway.alone.gateway import Gateway
from tests.integration.gateway.tokens import another_key, token

pytestmark = pytest.mark.anyio

KEY = "sk-alice-abc123def456"
ALICE = {"x-user-id": "alice", "x-virtual-key": "alice-key"}


@pytest.fixture(autouse=True)
def known(alone: Gateway) -> None:
    alone.budgets.keys[KEY] = ALICE


async def test_a_call_with_a_key_is_asked_and_charged_for_its_owner(alone: Gateway, http: httpx.AsyncClient) -> None:
    alone.budgets.keys[KEY] = ALICE | {"x-team-id": "dba", "x-dimension-tenant_id": "acme"}
    answer = await alone.call(http, KEY, model="gpt-4o")
    assert answer.status_code == 200
    owner = {"team": "dba", "user": "alice", "virtualKey": "alice-key", "tenant_id": "acme"}
    ((checked, _),) = alone.budgets.checks[0].descriptors
    request_id = answer.headers["x-request-id"]
    assert checked == owner | {"describes": "call", "model": "gpt-4o", "request_id": request_id}
    charge = await alone.charge()
    assert charge.hits == {"input": 10, "output": 20, "cached": 4, "status": 200}
    assert all(owner.items() <= entries.items() for entries, _ in charge.descriptors)


async def test_a_key_needs_no_team(alone: Gateway, http: httpx.AsyncClient) -> None:
    assert (await alone.call(http, KEY)).status_code == 200
    ((checked, _),) = alone.budgets.checks[0].descriptors
    assert (checked["user"], checked["virtualKey"], "team" in checked) == ("alice", "alice-key", False)


async def test_a_key_reaches_neither_the_llm_nor_a_log(alone: Gateway, http: httpx.AsyncClient) -> None:
    answer = await alone.call(http, KEY)
    (heard,) = alone.llm.heard
    assert "authorization" not in heard.headers
    assert KEY not in str(heard)
    await alone.logged(answer.headers["x-request-id"])
    await alone.logged((await alone.call(http, "sk-unknown")).headers["x-request-id"])
    assert not any(KEY in line or "sk-unknown" in line for line in alone.lines)


async def test_the_budget_service_hears_of_a_call_with_a_key_the_key_alone(alone: Gateway, http: httpx.AsyncClient) -> None:
    await alone.call(http, KEY, headers={"x-team-id": "rich", "cookie": "a=b"})
    assert alone.budgets.authorized == [{"authorization": f"Bearer {KEY}"}]


async def test_no_header_of_the_callers_own_comes_beside_a_key(alone: Gateway, http: httpx.AsyncClient) -> None:
    await alone.call(http, KEY, headers={"x-team-id": "rich", "x-user-id": "rich", "x-dimension-tier": "rich"})
    ((checked, _),) = alone.budgets.checks[0].descriptors
    assert "rich" not in checked.values()
    assert "rich" not in alone.llm.heard[0].headers.values()


async def test_an_unknown_key_gets_the_services_401_and_costs_nothing(alone: Gateway, http: httpx.AsyncClient) -> None:
    answer = await alone.call(http, "sk-nobody")
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (401, UNKNOWN_KEY, "application/json")
    assert (alone.budgets.asked, alone.llm.heard) == ([], [])


async def test_a_key_without_an_owner_is_refused(alone: Gateway, http: httpx.AsyncClient) -> None:
    alone.budgets.keys["sk-nobodys"] = {}
    answer = await alone.call(http, "sk-nobodys")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "missing_claim")
    assert (alone.budgets.asked, alone.llm.heard) == ([], [])


async def test_a_good_token_is_no_question_for_the_budget_service(alone: Gateway, http: httpx.AsyncClient) -> None:
    assert (await alone.call(http)).status_code == 200
    assert alone.budgets.authorized == []


@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"bearer {KEY}", f"BEARER {KEY}", f"Bearer  {KEY}"])
async def test_a_key_is_taken_however_its_scheme_is_written(alone: Gateway, http: httpx.AsyncClient, header: str) -> None:
    assert (await alone.call(http, headers={"authorization": header})).status_code == 200
    assert alone.budgets.authorized == [{"authorization": header}]


@pytest.mark.parametrize("key", ["a", "sk-1.2", "a.b.c.d", "a..b", "a.b.", ".a.b", "a.b.c=", "sk-a/b+c="])
async def test_whatever_is_not_shaped_like_a_token_is_a_key(alone: Gateway, http: httpx.AsyncClient, key: str) -> None:
    alone.budgets.keys[key] = ALICE
    assert (await alone.call(http, key)).status_code == 200
    assert alone.budgets.authorized == [{"authorization": f"Bearer {key}"}]


@pytest.mark.parametrize("header", ["", "Bearer", f"Basic {KEY}", KEY, f"Bearer a {KEY}", f"Bearer\t{KEY}"])
async def test_what_is_no_bearer_is_401_without_a_question(alone: Gateway, http: httpx.AsyncClient, header: str) -> None:
    answer = await alone.call(http, headers={"authorization": header})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_token")
    assert (alone.budgets.authorized, alone.budgets.asked, alone.llm.heard) == ([], [], [])


async def test_a_bad_token_is_not_tried_as_a_key(alone: Gateway, http: httpx.AsyncClient) -> None:
    forged = token(another_key(), "the-double's")
    alone.budgets.keys[forged] = ALICE
    alone.budgets.keys["a.b.c"] = ALICE
    for bad in (forged, "a.b.c", alone.token(exp=1), alone.token(iss="somebody")):
        answer = await alone.call(http, bad)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_token")
    assert (alone.budgets.authorized, alone.budgets.asked, alone.llm.heard) == ([], [], [])


async def test_two_credentials_in_one_request_are_none(alone: Gateway, http: httpx.AsyncClient) -> None:
    both = (f"Bearer {KEY}", f"Bearer {alone.token()}")
    for first, second in (both, both[::-1], (both[0], both[0])):
        headers = [("authorization", first), ("authorization", second), ("content-type", "application/json")]
        answer = await http.post(f"{alone.url}/v1/chat/completions", content="{}", headers=headers)
        assert answer.status_code == 401
    assert (alone.budgets.asked, alone.llm.heard) == ([], [])
