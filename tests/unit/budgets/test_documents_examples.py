"""The policies that the project ships."""

from pathlib import Path

import pytest

from budgets.budget import PICO, Action
from budgets.documents.secrets import KeySource
from budgets.matching.policy import Call, Policy
from budgets.windows import RollingWindow, Unit

POLICY = Path(__file__).parents[3] / "policy"
EXAMPLES = POLICY / "examples"


def limits(policy: Policy, **dimensions: str) -> dict[str, int]:
    return {each.budget.id: each.budget.limit for each in policy.applying(Call((tuple(dimensions.items()),), described=True))}


def test_the_shipped_policy_states_both_windows_of_both_teams() -> None:
    policy = Policy.read(POLICY / "budgets")
    assert {budget.id: budget.limit for budget in policy.spelled_out()} == {
        "team-token-budget/dba/hour": 5_000,
        "team-token-budget/dba/day": 50_000,
        "team-token-budget/support/hour": 20_000,
        "team-token-budget/support/day": 200_000,
    }
    assert [each.file.name for each in policy.documents.catalogs] == ["catalog.json"]


@pytest.mark.parametrize("folder", [POLICY / "budgets", *sorted(EXAMPLES.iterdir())], ids=lambda folder: folder.name)
def test_no_shipped_policy_has_anything_to_warn_of(folder: Path) -> None:
    assert Policy.read(folder).warnings == ()


def test_every_example_is_tested_here() -> None:
    assert {folder.name for folder in EXAMPLES.iterdir()} == {"budget-demo", "groups", "virtual-keys", "tiers", "tenants"}


def test_the_demo_audits_dollars_and_blocks_tokens() -> None:
    usd, tokens = (each.budget for each in Policy.read(EXAMPLES / "budget-demo").applying(Call(((),), described=True)))
    assert (usd.id, usd.limit, usd.action) == ("agentgateway-system/budget-demo/demo-usd-audit", 5 * PICO, Action.AUDIT)
    assert (tokens.id, tokens.limit, tokens.action) == ("agentgateway-system/budget-demo/demo-token-block", 2_000, Action.BLOCK)
    assert usd.window == tokens.window == RollingWindow(Unit.DAY)


@pytest.mark.parametrize(
    ("group", "budget", "dollars"),
    [("engineering", "eng-monthly", 500), ("product", "product-monthly", 200), ("design", "everyone-else/design", 100)],
)
def test_each_group_has_its_dollars(group: str, budget: str, dollars: int) -> None:
    assert limits(Policy.read(EXAMPLES / "groups"), group=group) == {f"default/groups/{budget}": dollars * PICO}


def test_each_virtual_key_has_a_hundred_tokens_a_day() -> None:
    policy = Policy.read(EXAMPLES / "virtual-keys", "agentgateway")
    assert limits(policy, user="alice", virtualKey="alice") == {"daily-tokens/alice/day": 100}
    assert [set(each.entries) for each in policy.documents.secrets] == [{"alice", "bob"}]
    assert policy.documents.key_source == KeySource(name="llm-api-keys")


@pytest.mark.parametrize(("tier", "tokens"), [("free", 10_000), ("standard", 100_000), ("premium", 500_000)])
def test_each_tier_has_its_tokens_a_day(tier: str, tokens: int) -> None:
    assert limits(Policy.read(EXAMPLES / "tiers"), user="alice", tier=tier) == {f"daily-tokens/{tier}/alice/day": tokens}


def test_a_user_of_two_tenants_has_two_budgets() -> None:
    policy = Policy.read(EXAMPLES / "tenants")
    for tenant in ("acme", "globex"):
        assert limits(policy, user="alice", tenant_id=tenant) == {f"daily-tokens/{tenant}/alice/day": 50_000}
    assert [each.name for each in policy.documents.secrets] == ["acme-keys", "globex-keys"]
    assert policy.documents.key_source == KeySource(labels={"holds": "llm-api-keys"})
