from pathlib import Path

import anyio
import httpx
import pytest
from fastapi import FastAPI

from jwt_issuer.app import create_app
from jwt_issuer.keys import SigningKey
from jwt_issuer.renewal import Renewal
from jwt_issuer.tokens import Mint, Subject, TokenFiles

pytestmark = pytest.mark.anyio


def a_renewal(folder: Path, mint: Mint) -> Renewal:
    return Renewal(TokenFiles(folder, mint, (Subject("alice", "dba"),)))


def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://issuer")


async def test_the_key_set_is_published_for_a_while(tmp_path: Path, mint: Mint, key: SigningKey) -> None:
    async with client(create_app(key, a_renewal(tmp_path, mint))) as http:
        response = await http.get("/.well-known/jwks.json")
    assert response.json() == {"keys": [key.jwk]}
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "public, max-age=300"


async def test_health_is_answered(tmp_path: Path, mint: Mint, key: SigningKey) -> None:
    async with client(create_app(key, a_renewal(tmp_path, mint))) as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}


async def test_nothing_that_is_served_takes_input_or_mints(tmp_path: Path, mint: Mint, key: SigningKey) -> None:
    app = create_app(key, a_renewal(tmp_path, mint))
    assert set(app.openapi()["paths"]) == {"/.well-known/jwks.json", "/healthz"}
    methods = {method for route in app.routes for method in getattr(route, "methods", None) or ()}
    assert methods <= {"GET", "HEAD"}


async def test_the_renewal_runs_for_as_long_as_the_application_does(tmp_path: Path, mint: Mint, key: SigningKey) -> None:
    renewal = a_renewal(tmp_path, mint)
    running, stopped = anyio.Event(), anyio.Event()

    async def sleep(_: float) -> None:
        running.set()
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    renewal.sleep = sleep
    app = create_app(key, renewal)
    with anyio.fail_after(10):
        async with app.router.lifespan_context(app):
            await running.wait()
            assert not stopped.is_set()
    assert stopped.is_set()
