"""Providers differ in what surrounds their usage; what they used is charged all the same, or is seen not to be."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.gateway.providers import USAGE, Provider, provider_behind
from tests.systems import Running
from tests.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def provider(gateway: Running) -> AsyncIterator[Provider]:
    async with provider_behind(gateway) as started:
        yield started


async def ask(gateway: Running, provider: Provider, http: httpx.AsyncClient) -> httpx.Response:
    return await http.post(
        f"{provider.gateway}/v1/chat/completions",
        json={"messages": [{"role": "user", "content": "Hello."}]},
        headers={"authorization": f"Bearer {gateway.system.token('provided')}"},
    )


async def used(gateway: Running) -> int:
    accounts = await gateway.books.accounts()
    return next(each.used for each in accounts if (each.team, each.window) == ("provided", "month"))


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON", None],
)
async def test_an_answer_is_charged_whatever_its_content_type_says_beside_json(
    gateway: Running, provider: Provider, http: httpx.AsyncClient, content_type: str | None
) -> None:
    before = await used(gateway)
    provider.answers(USAGE, content_type)
    assert (await ask(gateway, provider, http)).status_code == 200

    async def is_charged() -> bool:
        return await used(gateway) == before + 30

    await until(is_charged, "30 tokens more")


@pytest.mark.parametrize("usage", [None, {"total_tokens": 30}, "much"], ids=["null", "a total alone", "text"])
async def test_an_answer_without_usage_is_noticed(
    gateway: Running, provider: Provider, http: httpx.AsyncClient, usage: object
) -> None:
    before = await used(gateway)
    provider.answers(usage)
    request_id = (await ask(gateway, provider, http)).headers["x-request-id"]
    line = f"answered and not charged, for no usage was read: request={request_id} team=provided status=[200]"
    await until(lambda: any(line in told for name, told in gateway.lines if name == "budgets"), line)
    assert await used(gateway) == before


async def test_the_limits_that_a_caller_reads_are_the_budgets_and_not_the_providers(
    gateway: Running, provider: Provider, http: httpx.AsyncClient
) -> None:
    foreign = {f"x-ratelimit-{name}": "7" for name in ("limit", "remaining", "reset")} | {"x-envoy-ratelimited": "true"}
    provider.answers(USAGE, **foreign)
    headers = (await ask(gateway, provider, http)).headers
    assert headers.get_list("x-ratelimit-limit") == ["10000000"]
    assert len(headers.get_list("x-ratelimit-remaining")) == len(headers.get_list("x-ratelimit-reset")) == 1
    assert "7" not in (headers["x-ratelimit-remaining"], headers["x-ratelimit-reset"])
    assert "x-envoy-ratelimited" not in headers
