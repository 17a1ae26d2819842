"""Clients for tests, and an endpoint that serves them."""

import base64
from dataclasses import dataclass, field
from urllib.parse import quote_plus

import httpx
from prometheus_client import CollectorRegistry, Counter
from starlette.applications import Starlette
from starlette.routing import Route

from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.oauth.client_secrets import Cost, SecretHash
from jwt_issuer.oauth.clients import Client, Clients, Terms
from jwt_issuer.oauth.endpoint import TokenEndpoint
from jwt_issuer.tokens import Subject

ISSUER = "agentic-budgets"
SECRET = "s3cret-of-ci"
CHEAP = Cost(log2_n=1, r=1, p=1)
SUBJECTS = (Subject("dba", "dba"), Subject("alice", "dba"), Subject("support", "support"))
TERMS = Terms(SUBJECTS, audience="mock-llm", ttl=900, longest_ttl=3600)

CI = Client(
    client_id="ci",
    secret=SecretHash.of(SECRET, CHEAP),
    subject=Subject("alice", "dba"),
    scopes=("llm", "tools"),
    audiences=("mock-llm", "https://other.example/api"),
    ttl=600,
    claims={"tier": "gold", "groups": ["data", "ops"]},
)
BARE = Client("bare", SecretHash.of(SECRET, CHEAP), Subject("bare", "support"), (), ("mock-llm",), 900, {"team": "support"})


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Tokens:
    """An endpoint of its own throttle and counter."""

    keychain: Keychain
    clients: Clients = field(default_factory=lambda: Clients([CI, BARE]))
    clock: Clock = field(default_factory=Clock)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        outcomes = Counter("jwt_issuer_token_requests", "Requests.", ["outcome"], registry=self.registry)
        endpoint = TokenEndpoint(self.now, self.keychain, issuer=ISSUER, outcomes=outcomes, clock=self.clock)
        self.app = Starlette(routes=[Route("/token", endpoint.answer, methods=["POST"])])

    async def now(self) -> Clients:
        return self.clients

    def http(self, peer: str = "192.0.2.1") -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app, client=(peer, 5000)), base_url="http://issuer")

    def count(self, outcome: str) -> float | None:
        return self.registry.get_sample_value("jwt_issuer_token_requests_total", {"outcome": outcome})


def form(client_id: str = "ci", client_secret: str = SECRET, **more: str) -> dict[str, str]:
    return {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret, **more}


def basic(client_id: str, secret: str) -> dict[str, str]:
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


GRANT = {"grant_type": "client_credentials"}
ALICE, MALLORY = "192.0.2.1", "203.0.113.9"


async def post(
    tokens: Tokens, data: dict[str, str], peer: str = ALICE, headers: dict[str, str] | None = None
) -> httpx.Response:
    async with tokens.http(peer) as http:
        return await http.post("/token", data=data, headers=headers)


def error_of(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() == {"error", "error_description"}
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["pragma"] == "no-cache"
    return response.status_code, response.json()["error"]


async def fail(tokens: Tokens, times: int, peer: str = ALICE) -> None:
    for _ in range(times):
        assert error_of(await post(tokens, form(client_secret="wrong"), peer)) == (401, "invalid_client")
