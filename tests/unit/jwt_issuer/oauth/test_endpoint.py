"""Who gets a token, and what it says."""

from dataclasses import replace
from typing import Any

import httpx
import jwt
import pytest

from jwt_issuer.folder import KeyFolder
from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.oauth.clients import Clients

from .token_clients import BARE, CI, GRANT, ISSUER, SECRET, Tokens, basic, error_of, form, post

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def keychain(tmp_path_factory: pytest.TempPathFactory) -> Keychain:
    """With no clock of its own, so that its tokens verify."""
    return Keychain(KeyFolder(tmp_path_factory.mktemp("keys")))


@pytest.fixture
def tokens(keychain: Keychain) -> Tokens:
    return Tokens(keychain)


def claims_of(response: httpx.Response, audience: str = "mock-llm") -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(response.json()["access_token"], options={"verify_signature": False}, audience=audience)
    return claims


async def test_a_client_gets_a_token_that_says_who_it_is(tokens: Tokens) -> None:
    response = await post(tokens, form())
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["pragma"] == "no-cache"
    answer = response.json()
    assert answer.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer["token_type"], answer["expires_in"], answer["scope"]) == ("Bearer", 600, "llm tools")
    claims = tokens.keychain.verify(answer["access_token"], audience="mock-llm", issuer=ISSUER)
    assert claims.pop("exp") - claims.pop("iat") == 600
    assert len(claims.pop("jti")) >= 20
    assert claims == {
        "iss": ISSUER,
        "sub": "alice",
        "team": "dba",
        "aud": "mock-llm",
        "client_id": "ci",
        "scope": "llm tools",
        "tier": "gold",
        "groups": ["data", "ops"],
    }


async def test_basic_authentication_does_as_well(tokens: Tokens) -> None:
    response = await post(tokens, GRANT, headers=basic("ci", SECRET))
    assert response.status_code == 200


async def test_a_client_of_its_own_without_scopes(tokens: Tokens) -> None:
    response = await post(tokens, form("bare"))
    assert response.json().keys() == {"access_token", "token_type", "expires_in"}
    claims = claims_of(response)
    assert (claims["sub"], claims["team"], claims["client_id"]) == ("bare", "support", "bare")
    assert "scope" not in claims


async def test_every_token_has_an_id_of_its_own(tokens: Tokens) -> None:
    assert claims_of(await post(tokens, form()))["jti"] != claims_of(await post(tokens, form()))["jti"]


async def test_no_claim_of_a_client_takes_the_place_of_the_issuers(keychain: Keychain) -> None:
    """The file refuses such a client; this is what holds if one came another way."""
    names = ("iss", "sub", "team", "aud", "client_id", "jti", "scope")
    tokens = Tokens(keychain, Clients([replace(CI, claims=dict.fromkeys(names, "forged"))]))
    claims = claims_of(await post(tokens, form()))
    assert "forged" not in {claims[name] for name in names}


@pytest.mark.parametrize(("asked", "granted"), [("llm", "llm"), ("tools llm", "tools llm"), ("llm llm", "llm")])
async def test_fewer_scopes_may_be_asked_for(tokens: Tokens, asked: str, granted: str) -> None:
    response = await post(tokens, form(scope=asked))
    assert response.json()["scope"] == claims_of(response)["scope"] == granted


@pytest.mark.parametrize("asked", ["admin", "llm admin", " ", "llm  tools", " llm", "LLM", 'a"b', "é", "a" * 5000])
async def test_a_scope_beyond_the_clients_is_refused(tokens: Tokens, asked: str) -> None:
    response = await post(tokens, form(scope=asked))
    assert error_of(response) == (400, "invalid_scope")
    assert response.json()["error_description"] == (
        "The client may not have this scope. Ask for what it may have (llm tools), or leave scope out."
    )


async def test_any_scope_is_too_many_for_a_client_without(tokens: Tokens) -> None:
    response = await post(tokens, form("bare", scope="llm"))
    assert error_of(response) == (400, "invalid_scope")
    assert response.json()["error_description"] == "The client may not have this scope. Leave scope out."


async def test_another_audience_of_the_clients(tokens: Tokens) -> None:
    response = await post(tokens, form(audience="https://other.example/api"))
    assert claims_of(response, "https://other.example/api")["aud"] == "https://other.example/api"


@pytest.mark.parametrize("asked", ["payroll", "mock-llm https://other.example/api", "MOCK-LLM"])
async def test_an_audience_beyond_the_clients_is_refused(tokens: Tokens, asked: str) -> None:
    assert error_of(await post(tokens, form(audience=asked))) == (400, "invalid_target")


async def test_a_wrong_secret_and_an_unknown_client_are_told_the_same(tokens: Tokens) -> None:
    wrong, unknown = await post(tokens, form(client_secret="x")), await post(tokens, form(client_id="x"))
    assert error_of(wrong) == (401, "invalid_client")
    assert wrong.headers["www-authenticate"] == 'Basic realm="jwt-issuer", charset="UTF-8"'
    assert (wrong.content, wrong.headers) == (unknown.content, unknown.headers)


async def test_a_client_that_is_not_authenticated_learns_nothing_of_scopes(tokens: Tokens) -> None:
    response = await post(tokens, form(client_secret="x", scope="admin", audience="payroll"))
    assert error_of(response) == (401, "invalid_client")


async def test_a_client_that_is_taken_out_is_refused_from_the_next_request_on(tokens: Tokens) -> None:
    assert (await post(tokens, form())).status_code == 200
    tokens.clients = Clients([BARE])
    assert error_of(await post(tokens, form())) == (401, "invalid_client")
