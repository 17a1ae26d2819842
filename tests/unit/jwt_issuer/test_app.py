import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from jwt_issuer.app import Lifespan, Stopping, create_app
from jwt_issuer.config import Settings
from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.metrics import Metrics
from jwt_issuer.oauth.client_file import ClientFile
from jwt_issuer.oauth.client_secrets import hash_secret
from jwt_issuer.oauth.clients import Terms
from jwt_issuer.tokens import Mint, Subject
from jwt_issuer.upkeep import Upkeep

from .rings import START, Clock, a_key
from .stores import Lead, Tokens

pytestmark = pytest.mark.anyio

DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
def metrics(keychain: Keychain, mint: Mint, clock: Clock) -> Metrics:
    return Metrics(Upkeep(keychain, Tokens(), mint, (), Lead(), 1200, clock=clock))


@pytest.fixture
def stopping() -> Stopping:
    return Stopping()


@pytest.fixture
def made(settings: Settings, keychain: Keychain, metrics: Metrics, stopping: Stopping) -> Callable[..., FastAPI]:
    """An application with other settings, with clients, or with something beside it."""

    def make(clients: ClientFile | None = None, lifespan: Lifespan | None = None, **changed: Any) -> FastAPI:
        return create_app(settings.model_copy(update=changed), keychain, clients, metrics, stopping, lifespan=lifespan)

    return make


@pytest.fixture
def clients(tmp_path: Path) -> ClientFile:
    """With one client, ci, whose secret is `hush`."""
    path = tmp_path / "clients.yaml"
    entry = {"client_id": "ci", "secret_hash": hash_secret("hush"), "sub": "alice", "scopes": ["read", "chat"]}
    path.write_text(json.dumps({"clients": [entry]}), encoding="utf-8")
    return ClientFile(path, Terms((Subject("alice", "dba"),), "mock-llm", 900, 3600))


@pytest.fixture
def app(made: Callable[..., FastAPI]) -> FastAPI:
    return made()


def client(app: FastAPI, url: str = "http://issuer") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url)


async def discovered(app: FastAPI, url: str = "http://issuer", path: str = DISCOVERY) -> dict[str, Any]:
    async with client(app, url) as http:
        document: dict[str, Any] = (await http.get(path)).json()
    return document


async def test_the_keys_are_published_for_a_while(app: FastAPI, keychain: Keychain) -> None:
    keychain.change(lambda ring: ring.with_next(a_key(1), START).announced(START, 1200))
    async with client(app) as http:
        response = await http.get("/.well-known/jwks.json")
    assert response.json() == {"keys": [a_key(0).jwk, a_key(1).jwk]}
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "public, max-age=300"


async def test_how_long_the_keys_may_be_kept_is_a_setting(made: Callable[..., FastAPI]) -> None:
    async with client(made(max_age=7)) as http:
        for path in ("/.well-known/jwks.json", DISCOVERY):
            assert (await http.get(path)).headers["cache-control"] == "public, max-age=7"


async def test_a_rotation_is_published_at_once(app: FastAPI, keychain: Keychain, clock: Clock) -> None:
    async with client(app) as http:
        first = (await http.get("/.well-known/jwks.json")).json()
        keychain.change(lambda ring: ring.with_next(a_key(1), START).announced(START, 1200))
        clock.now = START + 1200
        second = (await http.get("/.well-known/jwks.json")).json()
    assert [[key["kid"] for key in each["keys"]] for each in (first, second)] == [
        [a_key(0).kid],
        [a_key(1).kid, a_key(0).kid],
    ]


async def test_the_issuer_is_the_same_whoever_asks_and_the_endpoints_are_where_he_asks(app: FastAPI) -> None:
    inside, outside = (
        await discovered(app, "http://jwt-issuer.kagent:8202"),
        await discovered(app, "https://tokens.example.com"),
    )
    assert inside["issuer"] == outside["issuer"] == "agentic-budgets"
    assert inside["jwks_uri"] == "http://jwt-issuer.kagent:8202/.well-known/jwks.json"
    assert outside["token_endpoint"] == "https://tokens.example.com/token"


async def test_a_shared_cache_keeps_the_document_for_one_host(app: FastAPI) -> None:
    async with client(app) as http:
        assert (await http.get(DISCOVERY)).headers["vary"] == "host"


async def test_both_standards_find_the_same_document(app: FastAPI) -> None:
    assert await discovered(app) == await discovered(app, path="/.well-known/oauth-authorization-server")


async def test_a_url_that_was_set_is_the_one_of_the_endpoints(made: Callable[..., FastAPI]) -> None:
    document = await discovered(made(url="https://tokens.example.com/issuer"), "http://10.0.0.1:8202")
    assert document["jwks_uri"] == "https://tokens.example.com/issuer/.well-known/jwks.json"
    assert document["token_endpoint"] == "https://tokens.example.com/issuer/token"


async def test_the_scopes_are_those_of_the_clients(made: Callable[..., FastAPI], clients: ClientFile) -> None:
    assert (await discovered(made(clients)))["scopes_supported"] == ["chat", "read"]
    assert (await discovered(made()))["scopes_supported"] == []


async def test_health_is_answered(app: FastAPI) -> None:
    async with client(app) as http:
        for path in ("/healthz", "/readyz"):
            response = await http.get(path)
            assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_no_new_caller_is_wanted_once_it_is_about_to_stop(app: FastAPI, stopping: Stopping) -> None:
    async with client(app) as http:
        assert (await http.get("/readyz")).status_code == 200
        stopping.begin()
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/.well-known/jwks.json")).status_code == 200


async def test_prometheus_reads_the_metrics(app: FastAPI) -> None:
    async with client(app) as http:
        response = await http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert 'jwt_issuer_keys{state="current"} 1.0' in response.text


async def test_what_may_be_asked_is_documented_and_only_the_token_endpoint_takes_input(app: FastAPI) -> None:
    documented = app.openapi()["paths"]
    assert {path: set(operations) for path, operations in documented.items()} == {
        "/.well-known/jwks.json": {"get"},
        DISCOVERY: {"get"},
        "/.well-known/oauth-authorization-server": {"get"},
        "/token": {"post"},
        "/healthz": {"get"},
        "/readyz": {"get"},
        "/metrics": {"get"},
    }
    assert "requestBody" in documented["/token"]["post"]


async def asked_for_a_token(app: FastAPI) -> tuple[int, dict[str, Any]]:
    async with client(app) as http:
        response = await http.post("/token", data={"grant_type": "client_credentials"}, auth=("ci", "hush"))
    return response.status_code, response.json()


async def test_a_client_gets_a_token_that_the_key_set_verifies(
    made: Callable[..., FastAPI], clients: ClientFile, keychain: Keychain, metrics: Metrics
) -> None:
    app = made(clients, issuer="https://tokens.example.com")
    status, answer = await asked_for_a_token(app)
    assert (status, answer["token_type"]) == (200, "Bearer")
    claims = keychain.verify(
        answer["access_token"], issuer="https://tokens.example.com", audience="mock-llm", options={"verify_exp": False}
    )
    assert claims["sub"] == "alice"
    assert metrics.registry.get_sample_value("jwt_issuer_token_requests_total", {"outcome": "issued"}) == 1


async def test_without_clients_nobody_gets_a_token(app: FastAPI) -> None:
    status, answer = await asked_for_a_token(app)
    assert (status, answer["error"]) == (401, "invalid_client")


async def test_what_runs_beside_it_runs_for_as_long_as_the_application_does(made: Callable[..., FastAPI]) -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def beside(_: FastAPI) -> AsyncIterator[None]:
        seen.append("begun")
        yield
        seen.append("ended")

    app = made(lifespan=beside)
    async with app.router.lifespan_context(app):
        assert seen == ["begun"]
    assert seen == ["begun", "ended"]
