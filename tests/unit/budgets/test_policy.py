from pathlib import Path

import pytest

from budgets.budget import Entries, Measure
from budgets.documents.errors import PolicyError
from budgets.matching.policy import Applying, Call, Policy
from budgets.windows import FixedWindow, Unit
from tests.unit.budgets.policies import (
    DAY_DBA,
    HEAD,
    HOUR_DBA,
    ONE_TEAM,
    TWO_WINDOWS,
    budget_document,
    enforcement,
    entry,
    lay_out,
    limit,
    ratelimit_file,
    write,
)


def described(**dimensions: str) -> Call:
    return Call((tuple(dimensions.items()),), described=True)


def ids(policy: Policy, call: Call) -> list[str]:
    return [applying.budget.id for applying in policy.applying(call)]


def test_a_budget_knows_its_subject_without_the_constant_keys(tmp_path: Path) -> None:
    ((applying),) = Policy.read(write(tmp_path, TWO_WINDOWS)).applying(Call((HOUR_DBA,)))
    budget = applying.budget
    assert (budget.id, budget.rule, budget.subject) == ("team-token-budget/dba/hour",) * 2 + ({"team": "dba"},)
    assert (budget.limit, budget.measure, budget.window) == (5_000, Measure.TOKENS, FixedWindow(Unit.HOUR))


def test_a_rule_is_one_for_everybody_whom_a_key_without_a_value_lets_in(tmp_path: Path) -> None:
    policy = Policy.read(write(tmp_path, TWO_WINDOWS))
    sales, ops = (policy.applying(Call(((("window", "day"), ("team", team)),)))[0].budget for team in ("sales", "ops"))
    assert (sales.id, sales.limit, sales.subject) == ("team-token-budget/sales/day", 100, {"team": "sales"})
    assert sales.rule == ops.rule == "team-token-budget/team=*/day"
    assert sales.key != ops.key


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
def test_a_descriptor_that_leads_to_no_limit_finds_no_budget(tmp_path: Path, entries: Entries) -> None:
    assert Policy.read(write(tmp_path, TWO_WINDOWS)).applying(Call((entries,))) == ()


def test_each_budget_names_the_descriptor_that_it_was_found_by(tmp_path: Path) -> None:
    policy = Policy.read(write(tmp_path, TWO_WINDOWS))
    found = policy.applying(Call(((("window", "hour"), ("team", "ghost")), DAY_DBA, HOUR_DBA, DAY_DBA)))
    assert [(each.budget.id, each.descriptor) for each in found] == [
        ("team-token-budget/dba/day", 1),
        ("team-token-budget/dba/hour", 2),
    ]


def test_a_described_call_is_asked_about_with_the_actions_of_the_document(tmp_path: Path) -> None:
    policy = Policy.read(write(tmp_path, TWO_WINDOWS))
    assert ids(policy, described(team="dba", user="alice")) == ["team-token-budget/dba/hour", "team-token-budget/dba/day"]
    assert ids(policy, described(user="alice")) == []


def test_a_described_call_and_a_raw_one_use_one_counter(tmp_path: Path) -> None:
    policy = Policy.read(write(tmp_path, TWO_WINDOWS))
    assert policy.applying(described(team="dba"))[0].budget == policy.applying(Call((HOUR_DBA,)))[0].budget


@pytest.mark.parametrize(
    ("header", "call"),
    [
        ("X-User-ID", {"user": "alice"}),
        ("x-user-id", {"user_id": "alice"}),
        ("X-Virtual-Key", {"virtualKey": "alice"}),
        ("X-Dimension-tenant_id", {"tenant_id": "alice"}),
    ],
)
def test_a_header_that_the_gateway_sets_is_a_dimension_of_the_call(tmp_path: Path, header: str, call: dict[str, str]) -> None:
    text = ONE_TEAM.replace("X-Team-ID", header).replace("value: dba", "value: alice")
    assert ids(Policy.read(write(tmp_path, text)), described(**call)) == ["team-token-budget/alice/hour"]


def test_a_key_that_the_actions_fill_is_not_taken_from_a_dimension_of_its_name(tmp_path: Path) -> None:
    policy = Policy.read(
        write(tmp_path, ONE_TEAM.replace("key: team", "key: group").replace("descriptorKey: team", "descriptorKey: group"))
    )
    assert ids(policy, described(team="dba")) == ["team-token-budget/dba/hour"]
    assert ids(policy, described(team="support", group="dba")) == []


TIERS = ratelimit_file(
    {"key": "user_id", "rate_limit": limit(7, "hour")},
    {"key": "tier", "value": "free", "descriptors": [{"key": "user_id", "rate_limit": limit(10, "day")}]},
    {"key": "tenant_id", "descriptors": [{"key": "user_id", "rate_limit": limit(50, "day")}]},
)


@pytest.mark.parametrize("name", ["user", "user_id"])
def test_a_described_call_falls_under_every_sequence_of_keys_that_it_has(tmp_path: Path, name: str) -> None:
    policy = Policy.read(write(tmp_path, TIERS))
    assert ids(policy, described(**{name: "alice"})) == ["policy/alice/hour"]
    assert ids(policy, described(**{name: "alice", "tier": "free"})) == ["policy/alice/hour", "policy/free/alice/day"]
    assert ids(policy, described(**{name: "alice", "tier": "gold"})) == ["policy/alice/hour"]
    everything = described(**{name: "alice", "tier": "free", "tenant_id": "acme"})
    assert ids(policy, everything) == ["policy/alice/hour", "policy/free/alice/day", "policy/acme/alice/day"]


def test_a_raw_descriptor_is_asked_about_as_it_is(tmp_path: Path) -> None:
    policy = Policy.read(write(tmp_path, TIERS))
    assert ids(policy, Call(((("tier", "free"), ("user_id", "alice")),))) == ["policy/free/alice/day"]
    assert ids(policy, Call(((("user", "alice"),),))) == []


def test_a_document_without_actions_is_asked_about_by_its_keys_beside_one_with_actions(tmp_path: Path) -> None:
    without = (
        HEAD.replace("team-token-budget", "users")
        + "    descriptors: [{key: user, rateLimit: {requestsPerUnit: 3, unit: DAY}}]\n"
    )
    policy = Policy.read(write(tmp_path, f"{ONE_TEAM}---\n{without}"))
    assert ids(policy, described(team="dba", user="alice")) == ["team-token-budget/dba/hour", "users/alice/day"]


def test_a_subject_fits_what_the_descriptors_of_a_raw_call_say_together(tmp_path: Path) -> None:
    policy = Policy.read(
        write(tmp_path, budget_document(entry("one", {"user": "alice"}), entry("both", {"team": "dba", "user": "*"})))
    )
    found = policy.applying(Call((HOUR_DBA, (("user", "alice"),))))
    assert [(each.budget.rule, each.descriptor) for each in found] == [("default/limits/one", 1), ("default/limits/both", 0)]


def test_where_descriptors_contradict_each_other_each_is_believed(tmp_path: Path) -> None:
    policy = Policy.read(write(tmp_path, budget_document(entry("spend", {"user": "*"}), entry("all"))))
    found = policy.applying(Call(((("user", "alice"),), (("user", "bob"),))))
    assert {(each.budget.id.removeprefix("default/limits/"), each.descriptor) for each in found} == {
        ("spend/alice", 0),
        ("spend/bob", 1),
        ("all", 0),
    }


def test_a_subject_counts_once_though_several_descriptors_hold_it(tmp_path: Path) -> None:
    policy = Policy.read(write(tmp_path, budget_document(entry("spend", {"team": "dba"}))))
    (found,) = policy.applying(Call((HOUR_DBA, DAY_DBA)))
    assert isinstance(found, Applying)
    assert found.descriptor == 0


def test_only_budgets_without_wildcard_are_spelled_out(tmp_path: Path) -> None:
    more = budget_document(entry("dba", {"team": "dba"}), entry("any", {"team": "*"}))
    policy = Policy.read(write(tmp_path, f"{TWO_WINDOWS}---\n{more}"))
    spelled = list(policy.spelled_out())
    assert [budget.id for budget in spelled] == [
        "team-token-budget/dba/hour",
        "team-token-budget/dba/day",
        "default/limits/dba",
    ]
    assert spelled[0] == policy.applying(Call((HOUR_DBA,)))[0].budget


def test_the_policy_lists_all_its_budgets_with_a_star_for_what_is_open(tmp_path: Path) -> None:
    policy = Policy.read(write(tmp_path, f"{TWO_WINDOWS}---\n{budget_document(entry('any', {'team': '*', 'user': 'alice'}))}"))
    assert [(budget.id, budget.limit) for budget in policy.budgets()] == [
        ("team-token-budget/dba/hour", 5_000),
        ("team-token-budget/dba/day", 50_000),
        ("team-token-budget/*/day", 100),
        ("default/limits/any/*", 100),
    ]


def test_a_budget_is_restored_from_its_key_as_long_as_the_policy_has_it(tmp_path: Path) -> None:
    users = budget_document(entry("any", {"team": "*", "user": "alice"}))
    policy = Policy.read(write(tmp_path, f"{TWO_WINDOWS}---\n{users}"))
    found = [each.budget for each in policy.applying(described(team="sales", user="alice"))]
    assert [budget.rule for budget in found] == ["team-token-budget/team=*/day", "default/limits/any"]
    assert [policy.restore(budget.key) for budget in found] == found
    edited = Policy.read(write(tmp_path, f"{ONE_TEAM}---\n{users.replace('alice', 'bob')}"))
    assert [edited.restore(budget.key) for budget in found] == [None, None]


def test_a_caller_has_the_budgets_of_each_model_that_the_policy_names(tmp_path: Path) -> None:
    text = budget_document(
        entry("team", {"team": "dba"}),
        entry("exact", {"team": "dba", "model": "gpt-4o"}),
        entry("beaten", {"team": "*", "model": "gpt-4o"}),
        entry("teams", {"team": "*", "model": "o3"}),
        entry("models", {"user": "*", "model": "*"}),
        entry("offer", {"model": "gpt-4o", "provider": "azure", "user": "*"}),
        entry("others", {"team": "support", "model": "gpt-4o"}),
    )
    policy = Policy.read(write(tmp_path, text))
    found = {budget.id.removeprefix("default/limits/") for budget in policy.for_caller({"team": "dba", "user": "alice"})}
    assert found == {"team", "exact", "teams/dba", "offer/alice"}


def test_a_caller_has_the_limits_of_each_model_that_a_tree_names(tmp_path: Path) -> None:
    models = [{"key": "model", "rate_limit": limit(1)}, {"key": "model", "value": "o3", "rate_limit": limit(2)}]
    text = ratelimit_file({"key": "user", "rate_limit": limit(3), "descriptors": models})
    policy = Policy.read(write(tmp_path, text))
    assert {budget.limit for budget in policy.for_caller({"user": "alice"})} == {2, 3}


def test_several_documents_of_one_file_count_together(tmp_path: Path) -> None:
    other = ONE_TEAM.replace("team-token-budget", "more").replace("dba", "support")
    policy = Policy.read(write(tmp_path, f"{ONE_TEAM}---\n{other}"))
    assert [budget.id for budget in policy.spelled_out()] == ["team-token-budget/dba/hour", "more/support/hour"]


def test_a_team_cannot_take_the_place_of_the_platforms_limit_with_one_of_its_own(tmp_path: Path) -> None:
    own = ratelimit_file({"key": "team", "value": "dba", "rate_limit": limit(9, "hour")})
    platform = ratelimit_file({"key": "team", "rate_limit": limit(5, "hour")})
    files = {"enforcement.yaml": enforcement({"from": "All"}), "limits.yaml": platform, "dba/limits.yaml": own}
    found = Policy.read(lay_out(tmp_path, files)).applying(described(team="dba"))
    assert [(each.budget.id, each.budget.limit) for each in found] == [("limits/dba/hour", 5), ("dba/limits/dba/hour", 9)]
    assert len({each.budget.key for each in found}) == 2


def test_an_edit_of_the_amount_keeps_what_is_used_and_of_the_unit_does_not(tmp_path: Path) -> None:
    keys = []
    for text in (ONE_TEAM, ONE_TEAM.replace("5000", "7"), ONE_TEAM.replace("HOUR", "DAY")):
        (budget,) = Policy.read(write(tmp_path, text)).spelled_out()
        keys.append(budget.key)
    assert (keys[0] == keys[1], keys[0] == keys[2]) == (True, False)


def test_a_limit_keeps_what_is_used_when_its_folder_is_moved(tmp_path: Path) -> None:
    keys = {next(Policy.read(lay_out(tmp_path / name, {"a.yaml": ONE_TEAM})).spelled_out()).key for name in ("one", "other")}
    assert len(keys) == 1


def test_the_policy_warns_of_keys_that_no_call_of_our_gateway_has(tmp_path: Path) -> None:
    text = ratelimit_file({"key": "team", "descriptors": [{"key": "Remote-Address", "rate_limit": limit(1)}]})
    policy = Policy.read(
        write(tmp_path, f"{text}\n---\n{budget_document(entry('a', {'Group': 'x'}), entry('b', {'virtualKey': '*'}))}")
    )
    places = [warning.split(": ")[1] for warning in policy.warnings]
    assert places == ["document 1, descriptors[0].descriptors[0].key", "document 2, spec.budgets[0].subject.Group"]


def test_a_constant_key_is_nothing_to_warn_of(tmp_path: Path) -> None:
    assert Policy.read(write(tmp_path, TWO_WINDOWS.replace("window", "Window-Of"))).warnings == ()


LIMIT = "rateLimit: {requestsPerUnit: 5000, unit: HOUR}"

WRONG = {
    "not YAML": ("a: [", "is not YAML"),
    "empty": ("", "holds no document; there are RateLimitConfig, EnterpriseAgentgatewayBudget"),
    "a list": ("[1, 2]", "no kind is given; there are RateLimitConfig"),
    "another kind": (ONE_TEAM.replace("RateLimitConfig", "Pod"), "kind: 'Pod' is not known here; there are RateLimitConfig"),
    "a negative limit": (ONE_TEAM.replace("5000", "-1"), "spec.raw.descriptors[0].rateLimit.requestsPerUnit: Input should be"),
    "a limit that is text": (ONE_TEAM.replace("5000", "many"), "rateLimit.requestsPerUnit: Input should be a valid integer"),
    "a limit beyond uint32": (ONE_TEAM.replace("5000", "4294967296"), "rateLimit.requestsPerUnit: Input should be less than"),
    "an unknown unit": (
        ONE_TEAM.replace("HOUR", "FORTNIGHT"),
        "spec.raw.descriptors[0].rateLimit.unit: unknown unit 'FORTNIGHT'; use one of SECOND, MINUTE",
    ),
    "a misspelt field": (ONE_TEAM.replace("rateLimit:", "ratelimit:"), "spec.raw.descriptors[0].ratelimit: Extra inputs"),
    "snake case": (ONE_TEAM.replace("rateLimit:", "rate_limit:"), "spec.raw.descriptors[0].rate_limit: Extra inputs"),
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
    "a header that a caller chooses": (
        ONE_TEAM.replace("X-Team-ID", "X-Squad"),
        "actions[0].requestHeaders.headerName: a caller can choose or leave out the header 'X-Squad'",
    ),
    "the same document twice": (f"{ONE_TEAM}---\n{ONE_TEAM}", "document 2: the name 'team-token-budget' is taken by"),
    "the same limit twice": (
        f"{ONE_TEAM}---\n{ONE_TEAM.replace('team-token-budget', 'more')}",
        "document 2, spec.raw.descriptors[0]: the same key and value stand at",
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
