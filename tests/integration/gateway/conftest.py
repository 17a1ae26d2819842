from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.gateway.stage import Stage, staged
from tests.systems import Running, policy, running, team_list

PLENTY = (10_000_000, 20_000_000)
"""Tokens a month and a year."""

AMPLE = ("json", "sse", "burst", "thief", "victim", "replay", "careless", "logged")
LIMITS = dict.fromkeys(AMPLE, PLENTY) | {"tiny": (1, PLENTY[1]), "yearly": (PLENTY[0], 1), "blocked": (0, PLENTY[1])}


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


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(tmp_path_factory.mktemp("stage")) as started:
        yield started
