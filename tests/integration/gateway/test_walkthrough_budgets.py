"""The walkthrough of dollars, rolling windows and subjects, with its numbers and its log lines."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.integration.gateway.stage import Stage, shipped, staged

pytestmark = pytest.mark.anyio

BUDGET_DEMO = shipped("examples/budget-demo")
TOKENS = "agentgateway-system/budget-demo/demo-token-block"
DOLLARS = "agentgateway-system/budget-demo/demo-usd-audit"

DAY, STEP = 86_400, 864
"""Seconds of a rolling day, and of the steps in which it forgets."""


class TestTheDemo:
    """56, 704, 711 and 669 tokens of 2,000, and then no more."""

    @pytest.fixture(scope="class")
    async def burnt(self, stage: Stage) -> AsyncIterator[float]:
        """When it began."""
        await stage.take_up(BUDGET_DEMO)
        began = time.time()
        for prompt, completion in ((17, 39), (21, 683), (21, 690), (21, 648)):
            assert (await stage.spend(stage.token(), prompt, completion, model="gpt-4o", max_tokens=800)).status_code == 200
        yield began

    @pytest.fixture(scope="class")
    async def refusal(self, stage: Stage, burnt: float) -> httpx.Response:
        stage.llm.heard.clear()
        return await stage.call(stage.token(), model="gpt-4o", max_tokens=800)

    async def test_the_tokens_are_spent_by_the_call_that_crossed(self, stage: Stage, burnt: float) -> None:
        assert await stage.used(TOKENS) == 56 + 704 + 711 + 669 == 2_140

    async def test_the_refusal_has_the_headers_of_the_rolling_day(self, refusal: httpx.Response, burnt: float) -> None:
        assert refusal.status_code == 429
        headers = refusal.headers
        assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("2000", "0")
        assert headers["retry-after"] == headers["x-ratelimit-reset"]
        assert DAY - (time.time() - burnt) <= int(headers["x-ratelimit-reset"]) <= DAY + STEP
        assert (headers["x-should-retry"], headers["content-type"]) == ("false", "application/json")

    async def test_the_refusal_says_which_budget_and_how_it_stands(self, refusal: httpx.Response, burnt: float) -> None:
        error = refusal.json()["error"]
        reset = refusal.headers["x-ratelimit-reset"]
        assert error["message"] == f"Budget '{TOKENS}' is spent: 2,140 of 2,000 tokens. Resets in {int(reset):,} s."
        assert error["budget"].pop("reset_at") > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(burnt + DAY - 1))
        assert error | {"message": ""} == {
            "message": "",
            "type": "budget_exceeded",
            "code": "budget_exhausted",
            "param": None,
            "budget": {
                "id": TOKENS,
                "subject": {},
                "unit": "tokens",
                "limit": 2_000,
                "used": 2_140,
                "reserved": 0,
                "remaining": 0,
                "window": "day",
                "alignment": "rolling",
                "action": "block",
                "retryable": False,
            },
        }

    async def test_nothing_more_is_forwarded_or_charged(self, stage: Stage, refusal: httpx.Response) -> None:
        forwarded = await stage.forwarded()
        assert (await stage.call(stage.token(), model="gpt-4o")).status_code == 429
        assert (await stage.forwarded(), stage.llm.heard) == (forwarded, [])
        assert await stage.used(TOKENS) == 2_140

    async def test_the_log_says_which_budget_blocked_and_why(self, stage: Stage, refusal: httpx.Response) -> None:
        line = await stage.logged("budget exceeded; blocking", 'user="alice"')
        fields = 'budget_action="BLOCK" budget_unit="TOKENS" budget_limit=2000 budget_window="DAILY"'
        assert f'budget_id={TOKENS} {fields} phase="admission" outcome="over_limit_block" team="dba" user="alice"' in line

    async def test_each_call_is_logged_with_its_exact_cost(self, stage: Stage, burnt: float) -> None:
        line = await stage.logged("charged: ", "tokens_in=21 tokens_out=683", "budgets=")
        assert 'team="dba" user="alice" model="gpt-4o"' in line
        assert "tokens=704 cost_usd=0.0068825 " in line
        assert json.loads(line.split("budgets=")[1]) == {TOKENS: 704, DOLLARS: "0.0068825"}

    async def test_the_audited_dollars_have_counted_the_exact_cost_of_all(self, stage: Stage, burnt: float) -> None:
        # 80 tokens in for 2.50, and 2,060 out for 10.00 dollars a million
        assert await stage.used(DOLLARS) == "0.0208"


async def test_one_call_of_the_walkthrough_costs_to_the_last_digit_what_it_says(stage: Stage) -> None:
    await stage.take_up(BUDGET_DEMO)
    await stage.spend(stage.token(), 21, 683, model="gpt-4o")
    assert await stage.used(DOLLARS) == "0.0068825"


async def test_the_headers_of_an_admitted_answer_are_of_the_budget_that_blocks(stage: Stage) -> None:
    await stage.take_up(BUDGET_DEMO)
    headers = (await stage.call(stage.token(), model="gpt-4o")).headers
    assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("2000", "2000")
    assert "x-ratelimit-unit" not in headers


async def test_an_audited_budget_over_its_limit_is_logged_and_lets_through(stage: Stage) -> None:
    small = BUDGET_DEMO["budget.yaml"].replace("amount: 5}", "amount: 0.005}")
    await stage.take_up(BUDGET_DEMO | {"budget.yaml": small})
    since = len(stage.system.lines)
    assert (await stage.spend(stage.token(), 21, 683, model="gpt-4o")).status_code == 200
    assert not any("over_limit" in line for line in stage.written(since=since))
    assert (await stage.call(stage.token(), model="gpt-4o")).status_code == 200
    line = await stage.logged("budget exceeded; auditing", since=since)
    fields = 'budget_action="AUDIT" budget_unit="USD" budget_limit=0.005 budget_window="DAILY"'
    assert f'budget_id={DOLLARS} {fields} phase="admission" outcome="over_limit_audit"' in line


DOLLARS_BLOCK = BUDGET_DEMO | {
    "budget.yaml": BUDGET_DEMO["budget.yaml"].replace("onBudgetExceeded: Audit", "onBudgetExceeded: Block")
}


async def test_a_model_without_a_price_is_refused_where_dollars_block(stage: Stage) -> None:
    await stage.take_up(DOLLARS_BLOCK)
    forwarded = await stage.forwarded()
    refusal = await stage.call(stage.token(), model="gpt-4oo")
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (429, "model_unpriced")
    assert "The model 'gpt-4oo' has no price" in refusal.json()["error"]["message"]
    assert refusal.headers["x-should-retry"] == "false"
    await stage.logged("model without a price; blocking", 'model="gpt-4oo"', 'outcome="unpriced_block"')
    assert await stage.forwarded() == forwarded
    assert {await stage.used(TOKENS), await stage.used(DOLLARS)} == {0, "0"}


async def test_a_model_without_a_price_is_let_through_where_dollars_audit_and_logged(stage: Stage) -> None:
    await stage.take_up(BUDGET_DEMO)
    assert (await stage.spend(stage.token(), 10, 20, model="gpt-4ooo")).status_code == 200
    line = await stage.logged("model without a price; auditing", 'outcome="unpriced_audit"')
    assert f"budget_id={DOLLARS} " in line
    await stage.logged("model without a price; charged nothing", f"budget_id={DOLLARS} ", 'model="gpt-4ooo"')
    assert (await stage.used(TOKENS), await stage.used(DOLLARS)) == (30, "0")


async def test_a_price_that_is_added_while_it_runs_counts_from_then_on(stage: Stage) -> None:
    await stage.take_up(DOLLARS_BLOCK)
    assert (await stage.call(stage.token(), model="gpt-4oo")).status_code == 429
    catalog = BUDGET_DEMO["catalog.yaml"].replace(
        '"gpt-4o":', '"gpt-4oo": {"rates": {"input": "1.00", "output": "1.00"}}, "gpt-4o":'
    )
    await stage.edit(DOLLARS_BLOCK | {"catalog.yaml": catalog})
    assert (await stage.spend(stage.token(), 1, 2, model="gpt-4oo")).status_code == 200
    assert await stage.used(DOLLARS) == "0.000003"


GROUPS = shipped("examples/groups")


@pytest.mark.parametrize(
    ("group", "budget", "limit"),
    [("engineering", "eng-monthly", "500"), ("product", "product-monthly", "200"), ("design", "everyone-else/design", "100")],
)
async def test_a_group_is_charged_to_its_own_budget_and_to_no_other(stage: Stage, group: str, budget: str, limit: str) -> None:
    await stage.take_up(GROUPS)
    answered = await stage.spend(stage.token(group=group), 21, 683, model="gpt-4o")
    assert answered.status_code == 200
    budgets = await stage.budgets()
    assert {name: each["used"] for name, each in budgets.items() if each["used"] != "0"} == {
        f"default/groups/{budget}": "0.0068825"
    }
    assert (budgets[f"default/groups/{budget}"]["limit"], budgets[f"default/groups/{budget}"]["window"]) == (limit, "month")


async def test_a_group_that_has_spent_its_dollars_is_refused_and_another_goes_on(stage: Stage) -> None:
    await stage.take_up({"budget.yaml": GROUPS["budget.yaml"].replace("amount: 500", "amount: 0.005")})
    engineering, product, design = (stage.token(group=group) for group in ("engineering", "product", "design"))
    assert (await stage.spend(engineering, 21, 683, model="gpt-4o")).status_code == 200
    refusal = await stage.call(engineering, model="gpt-4o")
    assert (refusal.status_code, refusal.json()["error"]["budget"]["id"]) == (429, "default/groups/eng-monthly")
    assert (refusal.headers["x-ratelimit-limit"], refusal.headers["x-ratelimit-unit"]) == ("5000", "micro-usd")
    assert "is spent: 0.0068825 of 0.005 USD." in refusal.json()["error"]["message"]
    assert [(await stage.call(group, model="gpt-4o")).status_code for group in (product, design)] == [200, 200]


async def test_a_caller_of_no_group_falls_under_none_of_them_and_is_refused(stage: Stage) -> None:
    await stage.take_up(GROUPS)
    refusal = await stage.call(stage.token(), headers={"x-dimension-group": "engineering"}, model="gpt-4o")
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (429, "no_budget")
    assert all(each["used"] == "0" for each in (await stage.settled()).values())


async def test_a_caller_of_no_group_is_let_through_where_the_operator_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGETS_UNMATCHED", "admit")
    async with staged(tmp_path) as lenient:
        await lenient.take_up(GROUPS)
        answered = await lenient.spend(lenient.token(), 21, 683, model="gpt-4o")
        assert answered.status_code == 200
        assert not [header for header in answered.headers if header.startswith("x-ratelimit")]
        assert all(each["used"] == "0" for each in (await lenient.budgets()).values())
