"""The issuer against its own OpenAPI document.

SCHEMATHESIS_EXAMPLES=1000 pytest --timeout=0 tests/integration/jwt_issuer/test_openapi.py      looks deeper than the tests do
"""

from pathlib import Path

from jwt_issuer.client_secrets import hash_secret
from tests.integration.jwt_issuer import openapi_hooks
from tests.integration.jwt_issuer.openapi_hooks import AUDIENCE, CLIENT_ID, SCOPE, SECRET
from tests.integration.mock_llm.serving import serving
from tests.integration.schemas import try_all_of

TEAMS = "teams: [{name: dba, description: Databases., users: [alice]}]\n"


def write_clients(path: Path) -> None:
    terms = f"sub: alice, scopes: [{SCOPE}], audiences: [{AUDIENCE}]"
    path.write_text(f"clients: [{{client_id: {CLIENT_ID}, secret_hash: '{hash_secret(SECRET)}', {terms}}}]\n", encoding="utf-8")


def test_every_answer_is_one_that_the_document_describes(tmp_path: Path) -> None:
    teams, clients = tmp_path / "teams.yaml", tmp_path / "clients.yaml"
    teams.write_text(TEAMS, encoding="utf-8")
    write_clients(clients)
    environment = {
        "JWT_ISSUER_STATE": str(tmp_path / "state"),
        "JWT_ISSUER_TEAMS": str(teams),
        "JWT_ISSUER_CLIENTS": str(clients),
    }
    with serving("jwt_issuer", **environment) as (_, url):
        try_all_of(url, tmp_path, openapi_hooks.__name__)
