from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.agents.storage.postgres_server import Server, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Server) -> str:
    return postgres.new_database()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of each storage that there is, empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/agent.db"
    fresh: str = request.getfixturevalue("postgres_url")
    return fresh
