from collections.abc import AsyncIterator

import httpx
import pytest

from tests.systems import Running, policy, running, team_list

LIMITS = {
    "json": (10_000_000, 20_000_000),
    "sse": (10_000_000, 20_000_000),
    "burst": (10_000_000, 20_000_000),
    "thief": (10_000_000, 20_000_000),
    "victim": (10_000_000, 20_000_000),
    "replay": (10_000_000, 20_000_000),
    "careless": (10_000_000, 20_000_000),
    "logged": (10_000_000, 20_000_000),
    "provided": (10_000_000, 20_000_000),
    "tiny": (1, 20_000_000),
    "yearly": (10_000_000, 1),
    "blocked": (0, 20_000_000),
}


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """All but the agents; each test has a team to itself, so that none sees another's tokens."""
    teams = team_list(*LIMITS, "unbudgeted")
    async with running(tmp_path_factory.mktemp("gateway"), teams=teams, budgets=policy(**LIMITS)) as system:
        yield system


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        yield client
