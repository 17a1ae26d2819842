"""`GET /v1/budget` through the gateway, answered by the budget service itself."""

from datetime import datetime
from typing import Any

import pytest

from tests.integration.gateway.stage import Stage, shipped

pytestmark = pytest.mark.anyio

ALICE = "sk-alice-abc123def456"
BOB = "sk-bob-xyz789uvw012"

TEAMS = """\
apiVersion: enterpriseagentgateway.solo.io/v1alpha1
kind: EnterpriseAgentgatewayBudget
metadata: {name: teams}
spec:
  budgets:
    - name: tokens
      subject: {team: "*"}
      limit: {unit: Tokens, amount: 2000}
      window: {unit: Month}
      onBudgetExceeded: Block
    - name: dollars
      subject: {team: "*"}
      limit: {unit: USD, amount: 5}
      window: {unit: Day}
      onBudgetExceeded: Audit
"""
POLICY = shipped("examples/virtual-keys") | {"teams.yaml": TEAMS}
"""A user who comes with a token falls under the budgets of its team and of the user; one with a key has no team."""

TOKENS, DOLLARS = "default/teams/tokens/dba", "default/teams/dollars/dba"


@pytest.fixture(autouse=True)
async def in_force(stage: Stage) -> None:
    await stage.take_up(POLICY)


async def balances(stage: Stage, credential: str, **headers: str) -> dict[str, dict[str, Any]]:
    answered = await stage.own_budgets(credential, headers)
    assert answered.status_code == 200
    return {budget["id"]: budget for budget in answered.json()["budgets"]}


async def test_a_caller_with_a_token_sees_all_of_its_own_budgets_and_nobody_elses(stage: Stage) -> None:
    await stage.spend(stage.token(team="support", sub="carol"), 1, 1, model="gpt-4o")
    await stage.spend(BOB, 1, 1)
    await stage.spend(stage.token(), 21, 50, model="gpt-4o")
    own = await balances(stage, stage.token())
    assert own.keys() == {TOKENS, DOLLARS, "daily-tokens/alice/year"}
    budget = own[TOKENS]
    assert datetime.fromisoformat(budget.pop("reset_at")).tzinfo
    assert isinstance(budget.pop("burn_rate"), int)
    assert budget.pop("spent_at") is not None
    assert budget == {
        "id": TOKENS,
        "subject": {"team": "dba"},
        "unit": "tokens",
        "limit": 2_000,
        "used": 71,
        "reserved": 0,
        "remaining": 1_929,
        "window": "month",
        "alignment": "rolling",
        "action": "block",
        "retryable": False,
    }
    # 21 in for 2.50, and 50 out for 10.00 dollars a million
    assert (own[DOLLARS]["used"], own[DOLLARS]["remaining"], own[DOLLARS]["action"]) == ("0.0005525", "4.9994475", "audit")


async def test_the_tightest_comes_first(stage: Stage) -> None:
    await stage.spend(stage.token(), 21, 50, model="gpt-4o")
    answered = (await stage.own_budgets(stage.token())).json()
    assert answered["subject"] == {"team": "dba", "user": "alice"}
    assert [budget["id"] for budget in answered["budgets"]] == ["daily-tokens/alice/year", TOKENS, DOLLARS]


async def test_a_caller_with_a_key_sees_the_budget_of_its_user(stage: Stage) -> None:
    await stage.spend(ALICE, 10, 20)
    own = await balances(stage, ALICE)
    assert {name: (each["used"], each["remaining"]) for name, each in own.items()} == {"daily-tokens/alice/year": (30, 70)}
    assert {name: each["used"] for name, each in (await balances(stage, BOB)).items()} == {"daily-tokens/bob/year": 0}


async def test_what_a_call_under_way_may_cost_is_told_as_reserved(stage: Stage) -> None:
    async with stage.llm_waiting() as under_way:
        under_way(stage.call(stage.token(), model="gpt-4o-mini", max_tokens=60))
        await stage.heard(1)
        own = (await balances(stage, stage.token()))[TOKENS]
        assert (own["used"], own["reserved"], own["remaining"]) == (0, 200, 1_800)  # a tenth is reserved at most
    assert await stage.used(TOKENS) == 30


async def test_it_costs_nothing_and_answers_when_the_budget_is_spent(stage: Stage) -> None:
    await stage.spend(stage.token(), 1_000, 1_000, model="gpt-4o")
    assert (await stage.call(stage.token(), model="gpt-4o")).status_code == 429
    forwarded = await stage.forwarded()
    for _ in range(3):
        own = await balances(stage, stage.token())
        assert (own[TOKENS]["used"], own[TOKENS]["reserved"], own[TOKENS]["remaining"]) == (2_000, 0, 0)
    assert await stage.forwarded() == forwarded


async def test_headers_of_the_callers_own_do_not_show_it_anybody_elses(stage: Stage) -> None:
    spoofed = {"x-team-id": "support", "x-user-id": "carol", "x-virtual-key": "bob", "x-dimension-group": "it"}
    assert (await balances(stage, stage.token(), **spoofed)).keys() == {TOKENS, DOLLARS, "daily-tokens/alice/year"}
    assert (await balances(stage, ALICE, **spoofed)).keys() == {"daily-tokens/alice/year"}


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer sk-mallory-abc123def456"}], ids=["nothing", "a stranger's"])
async def test_without_a_credential_that_is_known_nothing_is_told(stage: Stage, headers: dict[str, str]) -> None:
    answered = await stage.http.get(f"{stage.gateway}/v1/budget", headers=headers)
    assert (answered.status_code, answered.json()["error"]["type"]) == (401, "authentication_error")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/budgets"), ("POST", "/v1/budgets/reset"), ("POST", "/v1/budgets/raise"), ("GET", "/metrics")],
)
async def test_what_is_for_operators_cannot_be_reached(stage: Stage, method: str, path: str) -> None:
    await stage.spend(stage.token(), 21, 50, model="gpt-4o")
    headers = {"authorization": f"Bearer {stage.token()}"}
    body = {"team": "dba"} if path.endswith("reset") else {"budget": TOKENS, "limit": 9_000}
    answered = await stage.http.request(method, f"{stage.gateway}{path}", headers=headers, json=body)
    assert (answered.status_code, answered.json()["error"]["code"]) == (404, "not_found")
    standing = (await stage.budgets())[TOKENS]
    assert (standing["used"], standing["limit"]) == (71, 2_000)
