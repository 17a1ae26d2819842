"""What a caller is told, and the budget service hears, when somebody is away."""

from collections.abc import AsyncIterator

import httpx
import pytest

from runner.ports import Ports
from tests.integration.gateway.alone.gateway import Gateway, gateway_alone

pytestmark = pytest.mark.anyio

KEY = "sk-alice-abc123def456"


@pytest.fixture(scope="module")
async def lonely() -> AsyncIterator[Gateway]:
    """Nobody listens where it finds the LLM and the port for callers."""
    with Ports() as ports:
        nobody = f"127.0.0.1:{ports.take()}"
        async with gateway_alone(GATEWAY_LLM=nobody, GATEWAY_BALANCE=nobody) as gateway:
            yield gateway


@pytest.fixture
async def alone(lonely: Gateway) -> Gateway:
    await lonely.forget()
    lonely.budgets.keys[KEY] = {"x-user-id": "alice", "x-virtual-key": "alice"}
    return lonely


async def test_an_llm_that_is_away_is_told_as_503_alone(alone: Gateway, http: httpx.AsyncClient) -> None:
    assert (await alone.call(http)).status_code == 503
    assert (await alone.charge()).hits == {"status": 503}


async def test_a_balance_that_cannot_be_asked_for_is_said_in_the_shape_of_other_errors(
    alone: Gateway, http: httpx.AsyncClient
) -> None:
    answer = await http.get(f"{alone.url}/v1/budget", headers={"authorization": f"Bearer {alone.token()}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "budget_service_away")


async def test_without_the_budget_service_neither_a_token_nor_a_key_gets_through(
    alone: Gateway, http: httpx.AsyncClient
) -> None:
    await alone.stop_budgets()
    for credential in (alone.token(), KEY, "sk-unknown"):
        answer = await alone.call(http, credential)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "budget_service_away")
        assert answer.headers["content-type"] == "application/json"
