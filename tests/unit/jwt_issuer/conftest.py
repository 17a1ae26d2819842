from pathlib import Path

import pytest

from jwt_issuer.keys import SigningKey, load_or_create_key
from jwt_issuer.tokens import Mint


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return load_or_create_key(tmp_path_factory.mktemp("issuer"))


@pytest.fixture
def mint(key: SigningKey) -> Mint:
    return Mint(key, issuer="agentic-budgets", audience="mock-llm", ttl=600)


@pytest.fixture
def teams_file(tmp_path: Path) -> Path:
    path = tmp_path / "teams.yaml"
    path.write_text("teams: [{name: dba, description: Databases., users: [alice]}]", encoding="utf-8")
    return path
