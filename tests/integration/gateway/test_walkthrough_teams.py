"""The lab of two teams, with its numbers: dba has 5,000 tokens an hour, support 20,000, and essays have 400 to 1,500."""

from collections.abc import AsyncIterator

import httpx
import pytest

from runner.config import PROJECT
from tests.systems import Running, running, team_list

pytestmark = pytest.mark.anyio

SHIPPED = (PROJECT / "policy" / "budgets" / "team-token-budget.yaml").read_text(encoding="utf-8")
HOUR, DAY = "month", "year"
"""What an hour and a day are here, where none may end in the middle of a test."""

ESSAY = [{"role": "user", "content": "Write me a long essay on indexing strategies."}]
SEED = 8
ESSAYS = [1436, 640, 1478, 1231, 903]
"""The tokens of those that dba is given before its budget is spent, with this seed of the mock LLM's: 5,688 of 5,000."""


@pytest.fixture(scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    budgets = SHIPPED.replace("unit: HOUR", f"unit: {HOUR.upper()}").replace("unit: DAY", f"unit: {DAY.upper()}")
    async with running(
        tmp_path_factory.mktemp("lab"), teams=team_list("dba", "support"), budgets=budgets, seed=SEED
    ) as started:
        yield started


@pytest.fixture(scope="module")
async def burnt(system: Running) -> list[int]:
    """What each essay used that dba was given until it was refused."""
    async with httpx.AsyncClient(trust_env=False) as http:
        essays: list[int] = []
        while (answered := await system.chat(http, "dba", messages=ESSAY)).status_code == 200:
            essays.append(answered.json()["usage"]["total_tokens"])
            assert (await system.account("dba", HOUR)).used == sum(essays)
        return essays


async def test_dba_gets_five_essays_and_the_one_that_crosses_completes(burnt: list[int]) -> None:
    assert burnt == ESSAYS
    assert sum(burnt[:-1]) < 5_000 <= sum(burnt)


async def test_the_next_one_is_refused_by_the_hour_though_the_day_has_room(
    system: Running, burnt: list[int], http: httpx.AsyncClient
) -> None:
    forwarded = await system.forwarded(http)
    refusal = await system.chat(http, "dba", messages=ESSAY)
    assert refusal.status_code == 429
    error = refusal.json()["error"]
    assert (error["type"], error["code"]) == ("budget_exceeded", "budget_exhausted")
    assert error["message"].startswith(f"Budget 'team-token-budget/dba/{HOUR}' is spent: 5,688 of 5,000 tokens. Resets in ")
    assert (error["budget"]["id"], error["budget"]["subject"]) == (f"team-token-budget/dba/{HOUR}", {"team": "dba"})
    headers = refusal.headers
    assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("5000", "0")
    assert (headers["x-should-retry"], headers["retry-after"]) == ("false", headers["x-ratelimit-reset"])
    assert await system.forwarded(http) == forwarded


async def test_both_windows_of_dba_hold_what_the_llm_says_and_no_refusal(
    system: Running, burnt: list[int], http: httpx.AsyncClient
) -> None:
    assert (await system.chat(http, "dba-user", messages=ESSAY)).status_code == 429
    for window, limit in ((HOUR, 5_000), (DAY, 50_000)):
        account = await system.account("dba", window)
        assert (account.limit, account.used, account.ledger) == (limit, 5_688, 5_688)


async def test_support_goes_on_by_its_own_budgets(system: Running, burnt: list[int], http: httpx.AsyncClient) -> None:
    first = await system.chat(http, "support", messages=ESSAY)
    used = first.json()["usage"]["total_tokens"]
    assert (await system.account("support", HOUR)).used == used
    headers = (second := await system.chat(http, "support", messages=ESSAY)).headers
    assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("20000", str(20_000 - used))
    used += second.json()["usage"]["total_tokens"]
    for window, limit in ((HOUR, 20_000), (DAY, 200_000)):
        account = await system.account("support", window)
        assert (account.limit, account.used, account.ledger) == (limit, used, used)


async def test_after_a_reset_dba_is_answered_again(system: Running, burnt: list[int], http: httpx.AsyncClient) -> None:
    """Last in this file: it empties what the others look at."""
    await system.books.reset("dba")
    assert (await system.chat(http, "dba", messages=ESSAY)).status_code == 200
    assert (await system.account("dba", HOUR)).balanced
