"""Who a caller is, is what its token says; and without a good token nothing is forwarded, asked or charged."""

import time

import httpx
import jwt
import pytest

from tests.integration.gateway.tokens import another_key, issuers_key, token
from tests.systems import Running

pytestmark = pytest.mark.anyio

QUESTION = {"messages": [{"role": "user", "content": "Hello."}]}


async def kid_of(gateway: Running, http: httpx.AsyncClient) -> str:
    keys = (await http.get(f"{gateway.system.addresses.jwt_issuer}/.well-known/jwks.json")).json()["keys"]
    return str(keys[0]["kid"])


async def bad_tokens(gateway: Running, http: httpx.AsyncClient) -> dict[str, str]:
    key, kid = issuers_key(gateway.folder), await kid_of(gateway, http)
    good = gateway.system.token("victim")
    header, payload, _ = good.split(".")
    other_payload = token(key, kid, team="thief").split(".")[1]
    return {
        "not a token": "abc",
        "expired": token(key, kid, exp=int(time.time()) - 30),
        "without an expiry": token(key, kid, exp=None),
        "signed by another key": token(another_key(), kid),
        "of an unknown key": token(another_key(), "nobody"),
        "alg none": token(None, kid, algorithm="none"),
        "signed with the public key as a secret": jwt.encode(
            {"team": "victim"}, "x" * 64, algorithm="HS256", headers={"kid": kid}
        ),
        "a wrong aud": token(key, kid, aud="another-llm"),
        "no aud": token(key, kid, aud=None),
        "a wrong iss": token(key, kid, iss="somebody"),
        "no iss": token(key, kid, iss=None),
        "not valid yet": token(key, kid, nbf=int(time.time()) + 3_600),
        "another payload under the signature": f"{header}.{other_payload}.{good.split('.')[2]}",
        "no signature": f"{header}.{payload}.",
    }


async def test_without_a_good_token_the_answer_is_401_and_nothing_is_forwarded_or_charged(
    gateway: Running, http: httpx.AsyncClient
) -> None:
    forwarded, before = await gateway.forwarded(http), await gateway.books.settled()
    answers = {name: await gateway.call(http, bad, QUESTION) for name, bad in (await bad_tokens(gateway, http)).items()}
    answers["no token"] = await http.post(f"{gateway.system.addresses.gateway}/v1/chat/completions", json=QUESTION)
    url = f"{gateway.system.addresses.gateway}/v1/chat/completions?access_token={gateway.system.token('victim')}"
    answers["in the query"] = await http.post(url, json=QUESTION)
    answers["another scheme"] = await gateway.call(http, "", QUESTION, authorization="Basic YTpi")
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 401)
    assert {answer.json()["error"]["type"] for answer in answers.values()} == {"authentication_error"}
    assert await gateway.forwarded(http) == forwarded
    assert await gateway.books.settled() == before


async def test_a_header_of_the_callers_own_does_not_choose_the_team(gateway: Running, http: httpx.AsyncClient) -> None:
    spoofed = {"x-team-id": "victim", "x-user-id": "victim-user"}
    answer = await gateway.call(http, gateway.system.token("thief-user"), QUESTION, **spoofed)
    assert answer.status_code == 200
    total = answer.json()["usage"]["total_tokens"]
    assert (await gateway.account("thief")).used == total
    assert (await gateway.account("victim")).used == 0
    ledger = (await http.get(f"{gateway.system.addresses.mock_llm}/ledger")).json()["callers"]
    assert [(row["user"], row["total_tokens"]) for row in ledger if row["team"] == "thief"] == [("thief-user", total)]


async def test_a_request_id_of_the_callers_own_does_not_make_its_calls_free(gateway: Running, http: httpx.AsyncClient) -> None:
    totals = []
    for _ in range(3):
        answer = await gateway.call(http, gateway.system.token("replay"), QUESTION, **{"x-request-id": "always-the-same"})
        totals.append(answer.json()["usage"]["total_tokens"])
    assert (await gateway.account("replay")).used == sum(totals)


@pytest.mark.parametrize("team", [None, ""], ids=["no team", "an empty team"])
async def test_a_token_without_a_team_is_refused_whatever_header_it_brings(
    gateway: Running, http: httpx.AsyncClient, team: str | None
) -> None:
    forwarded = await gateway.forwarded(http)
    teamless = token(issuers_key(gateway.folder), await kid_of(gateway, http), team=team)
    answer = await gateway.call(http, teamless, QUESTION, **{"x-team-id": "victim"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "missing_claim")
    assert await gateway.forwarded(http) == forwarded


async def test_a_team_that_no_budget_covers_is_refused(gateway: Running, http: httpx.AsyncClient) -> None:
    answer = await gateway.chat(http, "unbudgeted")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "no_budget")
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(("method", "path"), [("GET", "/ledger"), ("GET", "/v1/chat/completions"), ("POST", "/v1/embeddings")])
async def test_nothing_but_the_two_routes_is_forwarded(
    gateway: Running, http: httpx.AsyncClient, method: str, path: str
) -> None:
    forwarded = await gateway.forwarded(http)
    headers = {"authorization": f"Bearer {gateway.system.token('victim')}", "content-type": "application/json"}
    answer = await http.request(method, gateway.system.addresses.gateway + path, headers=headers, content=b"{}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert await gateway.forwarded(http) == forwarded
