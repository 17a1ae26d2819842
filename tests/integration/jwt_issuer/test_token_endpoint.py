"""The token endpoint on a real server, with hashes of the real cost."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Response
from prometheus_client import CollectorRegistry, Counter

from jwt_issuer.folder import KeyFolder
from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.oauth.client_file import ClientFile
from jwt_issuer.oauth.client_secrets import hash_secret, new_secret
from jwt_issuer.oauth.clients import Terms
from jwt_issuer.oauth.endpoint import AT_ONCE, WAITING_EACH, TokenEndpoint
from jwt_issuer.oauth.openapi import OPERATION
from jwt_issuer.oauth.throttle import FREE
from jwt_issuer.tokens import Subject
from tests.waiting import until

pytestmark = pytest.mark.anyio

SECRET, NEXT_SECRET = new_secret(), new_secret()
HASH, NEXT_HASH = hash_secret(SECRET), hash_secret(NEXT_SECRET)


def write(path: Path, secret_hash: str) -> None:
    path.write_text(f"clients: [{{client_id: ci, secret_hash: '{secret_hash}', sub: alice, scopes: [llm]}}]", encoding="utf-8")


@dataclass(frozen=True)
class Issuer:
    http: httpx.AsyncClient
    clients: Path
    keychain: Keychain

    async def post(self, secret: str = SECRET, client_id: str = "ci") -> httpx.Response:
        return await self.http.post("/token", data={"grant_type": "client_credentials"}, auth=(client_id, secret))


@pytest.fixture
async def issuer(tmp_path: Path) -> AsyncIterator[Issuer]:
    clients = tmp_path / "clients.yaml"
    write(clients, HASH)
    file = ClientFile(clients, Terms((Subject("alice", "dba"),), "mock-llm", 900, 3600))
    keychain = Keychain(KeyFolder(tmp_path))
    outcomes = Counter("jwt_issuer_token_requests", "Requests.", ["outcome"], registry=CollectorRegistry())
    endpoint = TokenEndpoint(file.current, keychain, issuer="agentic-budgets", outcomes=outcomes)
    app = FastAPI()
    app.add_api_route("/token", endpoint.answer, methods=["POST"], openapi_extra=OPERATION, response_model=None)
    app.add_api_route("/keys", lambda: Response(keychain.key_set()))
    async with serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http:
        yield Issuer(http, clients, keychain)


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, http="httptools", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve([listening]))
        await until(lambda: server.started, "the server")
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await task


async def test_a_client_shows_its_secret_and_gets_a_token_that_verifies(issuer: Issuer) -> None:
    answer = (await issuer.post()).json()
    claims = issuer.keychain.verify(answer["access_token"], audience="mock-llm", issuer="agentic-budgets")
    assert (claims["sub"], claims["team"], claims["scope"]) == ("alice", "dba", "llm")
    assert claims["exp"] - claims["iat"] == answer["expires_in"] == 900


async def test_a_new_secret_holds_from_the_next_request_on(issuer: Issuer) -> None:
    assert (await issuer.post()).status_code == 200
    write(issuer.clients, NEXT_HASH)
    assert (await issuer.post(SECRET)).status_code == 401
    assert (await issuer.post(NEXT_SECRET)).status_code == 200


async def test_the_key_set_is_answered_while_guesses_wait_for_their_turn(issuer: Issuer) -> None:
    guesses = [asyncio.create_task(issuer.post("guess", client_id=f"c{index}")) for index in range(AT_ONCE + WAITING_EACH)]
    await until(lambda: any(guess.done() for guess in guesses), "the first guess to be refused")
    assert (await issuer.http.get("/keys")).content == issuer.keychain.key_set()
    assert not all(guess.done() for guess in guesses)
    assert {(await guess).status_code for guess in guesses} == {401}


async def test_a_guesser_is_slowed_and_told_for_how_long(issuer: Issuer) -> None:
    answers = [await issuer.post("guess") for _ in range(FREE + 1)]
    assert {answer.status_code for answer in answers} == {401}
    slowed = await issuer.post()
    assert (slowed.status_code, slowed.json()["error"]) == (429, "slow_down")
    assert slowed.headers["retry-after"] == "1"


async def test_a_body_without_end_is_refused_and_the_connection_closed(issuer: Issuer) -> None:
    reader, writer = await asyncio.open_connection(issuer.http.base_url.host, issuer.http.base_url.port)
    writer.write(b"POST /token HTTP/1.1\r\nHost: issuer\r\nContent-Length: 1000000000\r\n")
    writer.write(b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" + b"x" * 9000)
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"error":"invalid_request"' in answer
    assert b"cache-control: no-store" in answer


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_post_is_answered(issuer: Issuer, method: str) -> None:
    assert (await issuer.http.request(method, "/token")).status_code == 405


async def test_the_openapi_document_says_what_may_be_sent_and_answered(issuer: Issuer) -> None:
    operation = (await issuer.http.get("/openapi.json")).json()["paths"]["/token"]["post"]
    assert set(operation["requestBody"]["content"]) == {"application/x-www-form-urlencoded"}
    assert set(operation["responses"]) == {"200", "400", "401", "413", "429", "503"}
