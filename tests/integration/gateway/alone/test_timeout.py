"""An answer that takes too long: the LLM may have worked for it, so the budget service must know it from a failure."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.gateway.alone.gateway import Gateway, gateway_alone
from tests.integration.gateway.upstream import ANSWER

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def impatient() -> AsyncIterator[Gateway]:
    async with gateway_alone(GATEWAY_TIMEOUT="1") as gateway:
        yield gateway


@pytest.fixture
async def alone(impatient: Gateway) -> Gateway:
    await impatient.forget()
    return impatient


async def test_a_timeout_of_the_gateways_own_is_told_as_504_alone(alone: Gateway, http: httpx.AsyncClient) -> None:
    alone.llm.streams(ANSWER, stops_before=0)
    answer = await alone.call(http)
    assert answer.status_code == 504
    charge = await alone.charge()
    assert (charge.hits, charge.request_id) == ({"status": 504}, answer.headers["x-request-id"])
    assert (await alone.logged(charge.request_id))["flags"] == "UT"


async def test_a_stream_that_is_cut_by_the_timeout_is_told_as_a_status_without_usage(
    alone: Gateway, http: httpx.AsyncClient
) -> None:
    alone.llm.streams({"choices": [{}]}, ANSWER, stops_before=2)
    with pytest.raises(httpx.RemoteProtocolError):
        await alone.call(http, stream=True)
    charge = await alone.charge()
    assert charge.hits == {"status": 200}
    assert (await alone.logged(charge.request_id))["flags"] == "UT"


@pytest.mark.parametrize("status", [500, 503])
async def test_a_failure_of_the_llms_own_is_not_told_as_a_timeout(alone: Gateway, http: httpx.AsyncClient, status: int) -> None:
    alone.llm.answers({"error": {"message": "No."}}, status)
    answer = await alone.call(http)
    charge = await alone.charge()
    assert (answer.status_code, charge.hits) == (status, {"status": status})
