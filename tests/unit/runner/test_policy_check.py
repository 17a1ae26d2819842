from pathlib import Path

import pytest

from runner.config import PROJECT
from runner.policy_check import WrongPolicyError, refuse_wrong_policy

pytestmark = pytest.mark.anyio

DOMAIN = "agentic-budgets"


async def test_a_wrong_policy_is_refused_in_the_one_sentence_that_the_budget_service_has_for_it(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("kind: Nonsense\n")
    with pytest.raises(WrongPolicyError) as refused:
        await refuse_wrong_policy(file, DOMAIN)
    assert str(refused.value).startswith(f"The budget policy cannot be used. {file}: ")
    assert "\n" not in str(refused.value)


async def test_a_policy_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongPolicyError, match="absent"):
        await refuse_wrong_policy(tmp_path / "absent", DOMAIN)


async def test_the_policy_of_the_project_is_good() -> None:
    await refuse_wrong_policy(PROJECT / "policy" / "budgets", DOMAIN)


async def test_a_ratelimit_file_is_good_for_its_own_domain_and_wrong_for_another() -> None:
    policy = PROJECT / "policy" / "examples" / "virtual-keys"
    await refuse_wrong_policy(policy, "agentgateway")
    with pytest.raises(WrongPolicyError, match=r"is 'agentgateway', but 'another' is served"):
        await refuse_wrong_policy(policy, "another")
