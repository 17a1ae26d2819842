"""The matching of envoyproxy/ratelimit: every example of its README, and what those leave open."""

from pathlib import Path

import pytest

from budgets.budget import Action, Budget, Entries
from budgets.documents.errors import PolicyError
from budgets.matching.policy import Call, Policy
from budgets.windows import FixedWindow, Unit
from tests.unit.budgets.policies import limit, ratelimit_file, write

DATABASES = ratelimit_file(
    {"key": "database", "value": "users", "rate_limit": limit(500)},
    {"key": "database", "value": "default", "rate_limit": limit(500)},
)
MESSAGES = ratelimit_file(
    {"key": "message_type", "value": "marketing", "descriptors": [{"key": "to_number", "rate_limit": limit(5, "day")}]},
    {"key": "to_number", "rate_limit": limit(100, "day")},
)
ADDRESSES = ratelimit_file(
    {"key": "remote_address", "rate_limit": limit(10)},
    {"key": "remote_address", "value": "50.0.0.5", "rate_limit": limit(0)},
)
SHALLOW = ratelimit_file({"key": "key", "value": "value", "rate_limit": limit(300)})
DEEP = ratelimit_file({"key": "key", "value": "value", "descriptors": [{"key": "subkey", "rate_limit": limit(300)}]})
UNLIMITED = ratelimit_file(
    {"key": "ldap", "rate_limit": {"unlimited": True}}, {"key": "azure", "rate_limit": limit(100, "minute")}
)
SHADOWED = ratelimit_file(
    {
        "key": "service",
        "descriptors": [
            {"key": "user", "value": "user-a", "rate_limit": limit(10), "shadow_mode": True},
            {"key": "user", "value": "user-b", "rate_limit": limit(20)},
        ],
    }
)
REPLACING = ratelimit_file(
    {
        "key": "key_1",
        "value": "value_1",
        "descriptors": [{"key": "user", "value": "bkthomps", "rate_limit": {**limit(5), "name": "specific_limit"}}],
    },
    {
        "key": "key_2",
        "value": "value_2",
        "descriptors": [
            {"key": "user", "value": "bkthomps", "rate_limit": {**limit(10), "replaces": [{"name": "specific_limit"}]}}
        ],
    },
)
DETAILED = ratelimit_file(
    {"key": "key1", "detailed_metric": True, "rate_limit": limit(10, "minute")},
    {"key": "key1", "value": "value1", "rate_limit": limit(20, "minute")},
)
WILDCARD = ratelimit_file({"key": "key1", "value": "value*", "rate_limit": limit(20, "minute")})

FIRST = (("key_1", "value_1"), ("user", "bkthomps"))
SECOND = (("key_2", "value_2"), ("user", "bkthomps"))


def found(tmp_path: Path, text: str, *descriptors: Entries) -> list[Budget]:
    policy = Policy.read(write(tmp_path, text))
    return [applying.budget for applying in policy.applying(Call(descriptors))]


@pytest.mark.parametrize(
    ("text", "descriptors", "limits"),
    [
        pytest.param(DATABASES, [(("database", "users"),)], [500], id="1: a value has a limit of its own"),
        pytest.param(DATABASES, [(("database", "other"),)], [], id="1: a value that no limit names has none"),
        pytest.param(
            MESSAGES,
            [(("message_type", "marketing"), ("to_number", "2061111111")), (("to_number", "2061111111"),)],
            [5, 100],
            id="2: several descriptors are limited by all that match",
        ),
        pytest.param(MESSAGES, [(("message_type", "marketing"),)], [], id="2: a placeholder limits nothing"),
        pytest.param(ADDRESSES, [(("remote_address", "50.0.0.1"),)], [10], id="3: a key without a value fits any"),
        pytest.param(ADDRESSES, [(("remote_address", "50.0.0.5"),)], [0], id="3: an exact value comes first"),
        pytest.param(SHALLOW, [(("key", "value"), ("subkey", "any"))], [], id="4: a limit above the last entry is none"),
        pytest.param(DEEP, [(("key", "value"), ("subkey", "any"))], [300], id="4: a limit at the last entry counts"),
        pytest.param(DEEP, [(("key", "value"),)], [], id="4: a limit below the last entry is none"),
        pytest.param(UNLIMITED, [(("ldap", "x"),)], [], id="5: unlimited is without a limit"),
        pytest.param(UNLIMITED, [(("azure", "x"),)], [100], id="5: its neighbour is limited"),
        pytest.param(REPLACING, [FIRST], [5], id="7: the replaced limit counts alone"),
        pytest.param(REPLACING, [SECOND], [10], id="7: the replacing limit counts alone"),
        pytest.param(REPLACING, [FIRST, SECOND], [10], id="7: of both, the replacing one counts"),
        pytest.param(DETAILED, [(("key1", "other"),)], [10], id="8: a metric's detail changes no limit"),
        pytest.param(DETAILED, [(("key1", "value1"),)], [20], id="8: and no exact limit"),
        pytest.param(WILDCARD, [(("key1", "value_1"),)], [20], id="9: a wildcard fits what starts like it"),
        pytest.param(WILDCARD, [(("key1", "valu"),)], [], id="9: and nothing else"),
    ],
)
def test_the_documented_examples_limit_as_documented(
    tmp_path: Path, text: str, descriptors: list[Entries], limits: list[int]
) -> None:
    assert [budget.limit for budget in found(tmp_path, text, *descriptors)] == limits


def test_example_2_each_number_has_its_own_counter(tmp_path: Path) -> None:
    one, other = (found(tmp_path, MESSAGES, (("to_number", number),))[0] for number in ("2061111111", "2062222222"))
    assert one.key != other.key
    assert one.rule == other.rule


def test_example_6_a_shadowed_limit_audits_and_its_neighbour_blocks(tmp_path: Path) -> None:
    a, b = (found(tmp_path, SHADOWED, (("service", "auth-service"), ("user", user)))[0] for user in ("user-a", "user-b"))
    assert (a.action, b.action) == (Action.AUDIT, Action.BLOCK)


def test_example_9_each_value_that_a_wildcard_fits_has_its_own_counter(tmp_path: Path) -> None:
    one, other = (found(tmp_path, WILDCARD, (("key1", value),))[0] for value in ("value_1", "value_2"))
    assert one.key != other.key
    assert (one.subject, one.rule) == ({"key1": "value_1"}, "policy/value*/minute")
    assert not list(Policy.read(write(tmp_path, WILDCARD)).spelled_out())


@pytest.mark.parametrize(
    "descriptor", [{"rate_limit": {"unlimited": True}}, {}], ids=["unlimited", "neither limit nor descriptors"]
)
@pytest.mark.parametrize("described", [True, False])
def test_an_unlimited_descriptor_exempts_who_matches_it(tmp_path: Path, descriptor: dict[str, object], described: bool) -> None:
    text = ratelimit_file({"key": "team", "value": "ops", **descriptor}, {"key": "team", "rate_limit": limit(5)})
    policy = Policy.read(write(tmp_path, text))
    ops, dba = (Call(((("team", team),),), described) for team in ("ops", "dba"))
    assert (policy.applying(ops), policy.exempts(ops)) == ((), True)
    assert (len(policy.applying(dba)), policy.exempts(dba)) == (1, False)


def test_exact_comes_before_wildcard_and_wildcard_before_a_key_without_a_value(tmp_path: Path) -> None:
    text = ratelimit_file(
        {"key": "path", "rate_limit": limit(1)},
        {"key": "path", "value": "/v1/*", "rate_limit": limit(2)},
        {"key": "path", "value": "/v1/a*", "rate_limit": limit(3)},
        {"key": "path", "value": "/v1/a", "rate_limit": limit(4)},
    )
    limits = [found(tmp_path, text, (("path", path),))[0].limit for path in ("/v2", "/v1/b", "/v1/ab", "/v1/a")]
    assert limits == [1, 2, 2, 4]


def test_a_wildcard_works_at_every_level(tmp_path: Path) -> None:
    below = [{"key": "path", "value": "/v1/*", "rate_limit": limit(2)}]
    text = ratelimit_file({"key": "team", "value": "dba", "descriptors": below})
    assert [each.limit for each in found(tmp_path, text, (("team", "dba"), ("path", "/v1/x")))] == [2]


def test_an_empty_value_in_the_file_is_none(tmp_path: Path) -> None:
    text = ratelimit_file({"key": "team", "value": "", "rate_limit": limit(2)})
    assert [each.subject for each in found(tmp_path, text, (("team", "dba"),))] == [{"team": "dba"}]


@pytest.mark.parametrize("unit", Unit)
@pytest.mark.parametrize("spelling", [str.lower, str.upper, str.capitalize])
def test_every_unit_is_a_fixed_window_however_it_is_spelt(tmp_path: Path, unit: Unit, spelling: type[str]) -> None:
    text = ratelimit_file({"key": "team", "rate_limit": limit(2, spelling(unit.value))})
    assert [each.window for each in found(tmp_path, text, (("team", "dba"),))] == [FixedWindow(unit)]


def test_a_limit_can_replace_what_the_same_call_meets_at_another_descriptor_only(tmp_path: Path) -> None:
    text = ratelimit_file(
        {"key": "a", "rate_limit": {**limit(1), "name": "one"}},
        {"key": "b", "rate_limit": {"unlimited": True, "replaces": [{"name": "one"}]}},
    )
    assert [each.limit for each in found(tmp_path, text, (("a", "x"),))] == [1]
    assert found(tmp_path, text, (("a", "x"),), (("b", "x"),)) == []


WRONG = {
    "an unknown unit": ({"rate_limit": limit(1, "fortnight")}, "rate_limit.unit: unknown unit 'fortnight'"),
    "no amount": ({"rate_limit": {"unit": "day"}}, "rate_limit: needs unit and requests_per_unit"),
    "unlimited with a unit": ({"rate_limit": {"unlimited": True, "unit": "day"}}, "rate_limit: is unlimited, and so"),
    "an amount beyond uint32": ({"rate_limit": limit(2**32)}, "rate_limit.requests_per_unit: Input should be less"),
    "camel case": ({"rateLimit": limit(1)}, "descriptors[0].rateLimit: Extra inputs"),
    "a threshold that is shared": ({"rate_limit": limit(1), "share_threshold": True}, "share_threshold: is not supported"),
    "a quota": ({"rate_limit": limit(1), "quota_mode": True}, "quota_mode: is not supported"),
    "itself replaced": (
        {"rate_limit": {**limit(1), "name": "a", "replaces": [{"name": "a"}]}},
        "rate_limit: cannot replace itself, 'a'",
    ),
    "nameless replaced": ({"rate_limit": {**limit(1), "replaces": [{"name": ""}]}}, "replaces[0].name: String should"),
    "a reserved key": ({"key": "usage", "rate_limit": limit(1)}, "descriptors[0].key: 'usage' is reserved"),
}


@pytest.mark.parametrize(("fields", "reason"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_with_place_and_reason(tmp_path: Path, fields: dict[str, object], reason: str) -> None:
    file = write(tmp_path, ratelimit_file({"key": "team", **fields}))
    with pytest.raises(PolicyError) as refusal:
        Policy.read(file)
    assert str(refusal.value).startswith(f"{file}: descriptors[0]")
    assert reason in str(refusal.value)


def test_fields_that_only_concern_metrics_are_accepted(tmp_path: Path) -> None:
    fields = {"detailed_metric": True, "value_to_metric": True, "share_threshold": False}
    text = ratelimit_file({"key": "team", "rate_limit": limit(1), **fields})
    assert [each.limit for each in found(tmp_path, text, (("team", "dba"),))] == [1]


def test_a_file_for_another_domain_is_refused_with_the_remedy(tmp_path: Path) -> None:
    file = write(tmp_path, ratelimit_file({"key": "team", "rate_limit": limit(1)}, domain="agentgateway"))
    Policy.read(file, "agentgateway")
    with pytest.raises(PolicyError, match=r"domain: is 'agentgateway', but 'ours' is served; set BUDGETS_DOMAIN"):
        Policy.read(file, "ours")
