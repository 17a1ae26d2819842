from pathlib import Path

import pytest

from budgets.policy import Policy
from service.rate_limit_config import PolicyError
from tests.unit.budgets.policies import DAY_DBA, HEAD, HOUR_DBA, ONE_TEAM, TWO_WINDOWS, write

SHIPPED = Path(__file__).parents[3] / "policy" / "team-token-budget.yaml"


def test_the_shipped_policy_states_both_windows_of_both_teams() -> None:
    budgets = {budget.id: budget.limit for budget in Policy.read(SHIPPED).fixed_budgets()}
    assert budgets == {
        "team-token-budget/dba/hour": 5_000,
        "team-token-budget/dba/day": 50_000,
        "team-token-budget/support/hour": 20_000,
        "team-token-budget/support/day": 200_000,
    }


def test_a_budget_knows_its_subject_without_the_constant_keys(tmp_path: Path) -> None:
    budget = Policy.read(write(tmp_path, TWO_WINDOWS)).match(HOUR_DBA)
    assert budget
    assert (budget.id, budget.subject) == ("team-token-budget/dba/hour", {"team": "dba"})


def test_an_exact_value_comes_before_a_key_without_one(tmp_path: Path) -> None:
    policy = Policy.read(write(tmp_path, TWO_WINDOWS))
    exact = policy.match(DAY_DBA)
    default = policy.match((("window", "day"), ("team", "sales")))
    assert exact and default
    assert (exact.limit, default.limit, default.subject) == (50_000, 100, {"team": "sales"})


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (("window", "hour"),),
        (("team", "dba"),),
        (("window", "hour"), ("team", "sales")),
        (("team", "dba"), ("window", "hour")),
        (*HOUR_DBA, ("user", "alice")),
    ],
)
def test_a_descriptor_that_leads_to_no_limit_matches_nothing(tmp_path: Path, entries: tuple[tuple[str, str], ...]) -> None:
    assert Policy.read(write(tmp_path, TWO_WINDOWS)).match(entries) is None


def test_several_documents_of_one_file_count_together(tmp_path: Path) -> None:
    other = ONE_TEAM.replace("team-token-budget", "more").replace("dba", "support")
    policy = Policy.read(write(tmp_path, f"{ONE_TEAM}---\n{other}"))
    assert [budget.id for budget in policy.fixed_budgets()] == ["team-token-budget/dba/hour", "more/support/hour"]


LIMIT = "rateLimit: {requestsPerUnit: 5000, unit: HOUR}"

WRONG = {
    "not YAML": ("a: [", "is not YAML"),
    "empty": ("", "holds no RateLimitConfig document"),
    "a list": ("[1, 2]", "document 1: Input should be"),
    "another kind": (ONE_TEAM.replace("RateLimitConfig", "ConfigMap"), "kind: Input should be 'RateLimitConfig'"),
    "a negative limit": (ONE_TEAM.replace("5000", "-1"), "spec.raw.descriptors[0].rateLimit.requestsPerUnit: Input should be"),
    "a limit that is text": (ONE_TEAM.replace("5000", "many"), "rateLimit.requestsPerUnit: Input should be a valid integer"),
    "a limit beyond uint32": (ONE_TEAM.replace("5000", "4294967296"), "rateLimit.requestsPerUnit: Input should be less than"),
    "an unknown unit": (
        ONE_TEAM.replace("HOUR", "FORTNIGHT"),
        "spec.raw.descriptors[0].rateLimit.unit: unknown unit 'FORTNIGHT'; use one of SECOND, MINUTE",
    ),
    "a misspelt field": (ONE_TEAM.replace("rateLimit:", "ratelimit:"), "spec.raw.descriptors[0].ratelimit: Extra inputs"),
    "a key twice": (ONE_TEAM.replace("value: dba", "value: dba\n        value: ops"), "the key 'value' stands twice"),
    "a limit missing": (ONE_TEAM.replace(LIMIT, ""), "spec.raw.descriptors[0]: sets no rateLimit"),
    "a reserved key": (
        ONE_TEAM.replace("key: team", "key: request_id"),
        "spec.raw.descriptors[0].key: 'request_id' is reserved",
    ),
    "a type we cannot count": (ONE_TEAM.replace("TOKEN", "REQUEST"), "spec.raw.rateLimits[0].type: Input should be 'TOKEN'"),
    "an action of no kind": (
        ONE_TEAM.replace("requestHeaders: {descriptorKey: team, headerName: X-Team-ID}", ""),
        "spec.raw.rateLimits[0].actions[0]: an action is either genericKey or requestHeaders",
    ),
    "the same budget twice": (
        f"{ONE_TEAM}---\n{ONE_TEAM}",
        "spec.raw.descriptors[0]: the same key and value stand at spec.raw.descriptors[0] already",
    ),
    "a limit nothing asks for": (
        ONE_TEAM.replace("descriptorKey: team", "descriptorKey: taem"),
        "spec.raw.descriptors[0]: no entry of spec.raw.rateLimits asks for (team=dba)",
    ),
    "no descriptors": (HEAD + "    descriptors: []\n", "spec.raw.descriptors: Tuple should have at least 1 item"),
    "nested without end": ("[" * 5000, "is not YAML"),
}


@pytest.mark.parametrize(("text", "reason"), WRONG.values(), ids=WRONG)
def test_a_wrong_policy_is_refused_with_file_place_and_reason(tmp_path: Path, text: str, reason: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(PolicyError) as refusal:
        Policy.read(file)
    assert str(refusal.value).startswith(f"{file}: ")
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nowhere\.yaml: cannot be read: No such file"):
        Policy.read(tmp_path / "nowhere.yaml")


def test_an_alias_that_holds_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError):
        Policy.read(write(tmp_path, "&a [*a]"))
