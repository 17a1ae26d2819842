"""What a call may cost is held until it is known what it has cost: also where that never comes to be known."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.gateway.stage import MESSAGES, Stage, answer
from tests.systems import policy
from tests.waiting import until

pytestmark = pytest.mark.anyio

MONTH = "test-budget/dba/month"
LIMIT = 100_000
INPUT, OUTPUT = 250, 750
"""The estimate for a call of which nothing is known: BUDGETS_FIRST_ESTIMATE, 1,000, a quarter of it input."""

A_TENTH = 10
"""No reservation takes more than this part of a limit (BUDGETS_BURST)."""


@pytest.fixture(autouse=True)
async def in_force(stage: Stage) -> None:
    await stage.take_up({"budgets.yaml": policy(dba=(LIMIT, 10 * LIMIT))})


@pytest.fixture
def model() -> str:
    """One that nobody has asked for, so that the estimate is the first guess."""
    return f"model-{uuid4()}"


@pytest.mark.parametrize(
    ("cap", "estimate"), [({}, INPUT + OUTPUT), ({"max_tokens": 300}, INPUT + 300)], ids=["no cap", "a cap"]
)
async def test_a_caller_that_hangs_up_in_the_middle_of_a_stream_is_charged_the_estimate_at_once(
    stage: Stage, model: str, cap: dict[str, int], estimate: int
) -> None:
    stage.llm.streams({"choices": [{}]}, answer(10, 20), stops_before=2)
    request = stage.http.build_request(
        "POST",
        f"{stage.gateway}/v1/chat/completions",
        json={"messages": MESSAGES, "stream": True, "model": model} | cap,
        headers={"authorization": f"Bearer {stage.token()}"},
    )
    answered = await stage.http.send(request, stream=True)
    parts = answered.aiter_bytes()  # once nobody refers to it any more, the caller has hung up
    assert b"choices" in await anext(parts)
    assert (await standing(stage))["reserved"] == estimate
    await answered.aclose()
    assert await stage.used(MONTH) == estimate
    request_id = answered.headers["x-request-id"]
    line = await stage.logged(f"answered without usage, so charged its estimate: request={request_id} status=200")
    assert f"tokens_in={INPUT} tokens_out={estimate - INPUT}" in line


async def test_a_caller_that_hangs_up_before_the_answer_begins_is_charged_the_estimate_too(stage: Stage, model: str) -> None:
    stage.llm.streams(answer(10, 20), stops_before=0)
    with pytest.raises(httpx.ReadTimeout):
        await stage.http.post(
            f"{stage.gateway}/v1/chat/completions",
            json={"messages": MESSAGES, "model": model},
            headers={"authorization": f"Bearer {stage.token()}"},
            timeout=0.5,
        )
    assert await stage.used(MONTH) == INPUT + OUTPUT


async def test_an_llm_that_fails_gives_back_what_was_held(stage: Stage, model: str) -> None:
    stage.llm.answers({"error": {"message": "No."}}, 500)
    answered = await stage.call(stage.token(), model=model)
    assert answered.status_code == 500
    await stage.logged(f"released: request={answered.headers['x-request-id']} status=500")
    assert await standing(stage) == {"used": 0, "reserved": 0, "remaining": LIMIT}


async def test_an_llm_that_is_away_gives_back_what_was_held(stage: Stage, model: str) -> None:
    async with stage.llm_away():
        answered = await stage.call(stage.token(), model=model)
    assert answered.status_code == 503
    await stage.logged(f"released: request={answered.headers['x-request-id']} status=503")
    assert await standing(stage) == {"used": 0, "reserved": 0, "remaining": LIMIT}
    assert (await stage.call(stage.token(), model=model)).status_code == 200


async def test_an_idle_budget_admits_ten_calls_at_once_whatever_they_may_cost(stage: Stage, model: str) -> None:
    async with stage.llm_waiting() as under_way:
        calls = [under_way(stage.call(stage.token(), model=model, max_tokens=100_000)) for _ in range(A_TENTH)]
        await stage.heard(A_TENTH)
        assert await standing(stage) == {"used": 0, "reserved": LIMIT, "remaining": 0}

        busy = await stage.call(stage.token(), model=model, max_tokens=100_000)
        error = busy.json()["error"]
        assert (busy.status_code, error["code"], error["budget"]["retryable"]) == (429, "budget_reserved", True)
        assert (busy.headers["x-should-retry"], busy.headers["retry-after"]) == ("true", "5")
    assert {(await call).status_code for call in calls} == {200}
    assert await stage.used(MONTH) == A_TENTH * 30
    assert (await stage.call(stage.token(), model=model)).status_code == 200


@pytest.mark.parametrize("cost", [20, 300], ids=["less than was held", "more than was held"])
async def test_what_twenty_calls_at_once_overshoot_is_what_they_cost_beyond_what_was_held(
    stage: Stage, model: str, cost: int
) -> None:
    limit = 1_000
    held = limit // A_TENTH
    await stage.take_up({"budgets.yaml": policy(dba=(limit, 10 * LIMIT))})
    stage.llm.answers(answer(cost // 2, cost // 2))
    async with stage.llm_waiting() as under_way:
        calls = [under_way(stage.call(stage.token(), model=model)) for _ in range(20)]
        await until(lambda: len(stage.llm.heard) + sum(call.done() for call in calls) == 20, "all of them to be decided")
    statuses = [(await call).status_code for call in calls]
    assert (statuses.count(200), statuses.count(429)) == (10, 10)
    used = await stage.used(MONTH)
    assert used == 10 * cost
    # The bound that budgets/engine.py states: the last call admitted, and what the nine others cost beyond what was held.
    assert isinstance(used, int)
    assert used < limit + cost + 9 * max(0, cost - held)


async def test_calls_one_after_the_other_overshoot_by_one_call_at_most(stage: Stage, model: str) -> None:
    limit, cost = 1_000, 300
    await stage.take_up({"budgets.yaml": policy(dba=(limit, 10 * LIMIT))})
    statuses = [(await stage.spend(stage.token(), 100, cost - 100, model=model)).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 200, 429]
    assert await stage.used(MONTH) == 4 * cost < limit + cost


async def standing(stage: Stage) -> dict[str, Any]:
    budget = (await stage.budgets())[MONTH]
    return {name: budget[name] for name in ("used", "reserved", "remaining")}
