"""Providers differ in what surrounds their usage; what they used is charged all the same, or is seen not to be."""

from typing import Any

import pytest

from tests.integration.gateway.stage import Stage, answer
from tests.systems import policy

pytestmark = pytest.mark.anyio

BUDGET = "test-budget/dba/month"
LIMIT = 10_000_000
FIRST_ESTIMATE = 1000


@pytest.fixture(autouse=True)
async def in_force(stage: Stage) -> None:
    await stage.take_up({"budgets.yaml": policy(dba=(LIMIT, LIMIT))})


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json"},
        {"content-type": "application/json; charset=utf-8"},
        {"content-type": "application/json;charset=UTF-8"},
        {"content-type": "Application/JSON"},
        {},
    ],
    ids=lambda headers: headers.get("content-type", "none"),
)
async def test_an_answer_is_charged_whatever_its_content_type_says_beside_json(stage: Stage, headers: dict[str, str]) -> None:
    stage.llm.answers(answer(10, 20), headers=headers)
    assert (await stage.call(stage.token())).status_code == 200
    assert await stage.used(BUDGET) == 30


@pytest.mark.parametrize("usage", [None, {"total_tokens": 30}, "much"], ids=["null", "a total alone", "text"])
async def test_an_answer_without_usage_is_charged_its_estimate_and_noticed(stage: Stage, usage: Any) -> None:
    stage.llm.answers({"model": "m", "choices": [], "usage": usage})
    request_id = (await stage.call(stage.token(), model=f"unheard of {usage}")).headers["x-request-id"]
    await stage.logged(f"answered without usage, so charged its estimate: request={request_id} status=200", 'team="dba"')
    assert await stage.used(BUDGET) == FIRST_ESTIMATE


async def test_the_limits_that_a_caller_reads_are_the_budgets_and_not_the_providers(stage: Stage) -> None:
    foreign = {f"x-ratelimit-{name}": "7" for name in ("limit", "remaining", "reset")} | {"x-envoy-ratelimited": "true"}
    stage.llm.answers(answer(10, 20), headers=foreign)
    headers = (await stage.call(stage.token())).headers
    assert headers.get_list("x-ratelimit-limit") == [str(LIMIT)]
    assert len(headers.get_list("x-ratelimit-remaining")) == len(headers.get_list("x-ratelimit-reset")) == 1
    assert "7" not in (headers["x-ratelimit-remaining"], headers["x-ratelimit-reset"])
    assert "x-envoy-ratelimited" not in headers
