"""The issuer against its own OpenAPI document.

SCHEMATHESIS_EXAMPLES=1000 pytest --timeout=0 tests/integration/jwt_issuer/test_openapi.py      looks deeper than the tests do
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Route

from jwt_issuer.app import Stopping, create_app
from jwt_issuer.config import Settings
from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.metrics import Metrics
from jwt_issuer.oauth.client_secrets import hash_secret
from jwt_issuer.serving import mint_of, open_place
from jwt_issuer.upkeep import Upkeep
from tests.integration.jwt_issuer import openapi_hooks
from tests.integration.jwt_issuer.openapi_hooks import AUDIENCE, CLIENT_ID, SCOPE, SECRET
from tests.integration.mock_llm.serving import serving
from tests.integration.schemas import refuse_invalid_document, try_all_of

TEAMS = "teams: [{name: dba, description: Databases., users: [alice]}]\n"
OF_THE_DOCUMENT_ITSELF = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of an issuer that knows the client of the hooks."""
    folder = tmp_path_factory.mktemp("issuer")
    terms = f"sub: alice, scopes: [{SCOPE}], audiences: [{AUDIENCE}]"
    clients = f"clients: [{{client_id: {CLIENT_ID}, secret_hash: '{hash_secret(SECRET)}', {terms}}}]\n"
    environment = {"JWT_ISSUER_STATE": str(folder / "state")}
    for name, text in (("teams", TEAMS), ("clients", clients)):
        path = folder / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        environment[f"JWT_ISSUER_{name.upper()}"] = str(path)
    with serving("jwt_issuer", **environment) as (_, url):
        yield url


def test_every_answer_is_one_that_the_document_describes(url: str, tmp_path: Path) -> None:
    try_all_of(url, tmp_path, openapi_hooks.__name__)


def test_the_document_is_valid(url: str) -> None:
    refuse_invalid_document(url)


def test_every_route_is_described_and_none_that_is_not_there(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path, teams=tmp_path / "teams.yaml")
    place = open_place(settings)
    keychain = Keychain(place.keys)
    upkeep = Upkeep(keychain, place.tokens, mint_of(settings, keychain), (), place.leadership, settings.overlap)
    app = create_app(settings, keychain, None, Metrics(upkeep), Stopping())
    served = {
        (route.path, method.lower())
        for route in app.routes
        if isinstance(route, Route) and route.path not in OF_THE_DOCUMENT_ITSELF
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert {(path, method) for path, methods in app.openapi()["paths"].items() for method in methods} == served
    assert ("/token", "post") in served
