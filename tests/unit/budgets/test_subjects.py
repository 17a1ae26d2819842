"""Which entries of budget documents apply to a call."""

import itertools
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgets.budget import PICO, Action, Measure
from budgets.matching.policy import Call, Policy
from budgets.windows import FixedWindow, RollingWindow, Unit
from tests.unit.budgets.policies import budget_document, enforcement, entry, lay_out, write


def described(**dimensions: str) -> Call:
    return Call((tuple(dimensions.items()),), described=True)


def ids(policy: Policy, call: Call) -> set[str]:
    return {applying.budget.id.removeprefix("default/limits/") for applying in policy.applying(call)}


def test_an_entry_says_what_its_budget_is(tmp_path: Path) -> None:
    stated = entry(
        "spend",
        {"group": "engineering"},
        limit={"unit": "USD", "amount": "0.25"},
        window={"unit": "Month", "alignment": "Calendar", "timeZone": "Europe/Berlin"},
        onBudgetExceeded="Audit",
    )
    (budget,) = Policy.read(write(tmp_path, budget_document(stated))).spelled_out()
    assert (budget.id, budget.rule) == ("default/limits/spend", "default/limits/spend")
    assert (budget.limit, budget.measure, budget.action) == (PICO // 4, Measure.USD, Action.AUDIT)
    assert (budget.subject, budget.window) == ({"group": "engineering"}, FixedWindow(Unit.MONTH, "Europe/Berlin"))


def test_a_window_rolls_unless_it_is_aligned(tmp_path: Path) -> None:
    (budget,) = Policy.read(write(tmp_path, budget_document(entry()))).spelled_out()
    assert budget.window == RollingWindow(Unit.DAY)


@pytest.mark.parametrize("stated", [None, {}])
def test_no_subject_is_everyone_in_one_budget(tmp_path: Path, stated: dict[str, str] | None) -> None:
    policy = Policy.read(write(tmp_path, budget_document(entry("all", stated))))
    calls = [Call(()), Call(((),)), Call(((("window", "hour"),),)), described(team="dba"), described()]
    assert [ids(policy, call) for call in calls] == [{"all"}] * 5
    assert len({applying.budget.key for call in calls for applying in policy.applying(call)}) == 1


@pytest.mark.parametrize(
    ("subject", "call", "applies"),
    [
        ({"team": "dba"}, {"team": "dba"}, True),
        ({"team": "dba"}, {"team": "dba", "user": "alice"}, True),
        ({"team": "dba"}, {"team": "support"}, False),
        ({"team": "dba"}, {"user": "dba"}, False),
        ({"team": "dba", "model": "gpt-4o"}, {"team": "dba"}, False),
        ({"team": "*"}, {"team": "dba"}, True),
        ({"team": "*"}, {"team": ""}, False),
        ({"team": "*"}, {"user": "alice"}, False),
        ({"team": "*", "model": "gpt-4o"}, {"team": "dba", "model": "gpt-4o"}, True),
        ({"team": "*", "model": "gpt-4o"}, {"team": "dba", "model": "other"}, False),
    ],
)
def test_every_dimension_of_the_subject_has_to_fit(
    tmp_path: Path, subject: dict[str, str], call: dict[str, str], applies: bool
) -> None:
    policy = Policy.read(write(tmp_path, budget_document(entry("spend", subject))))
    assert bool(policy.applying(described(**call))) is applies


def test_a_wildcard_is_one_allowance_for_each_value(tmp_path: Path) -> None:
    policy = Policy.read(write(tmp_path, budget_document(entry("spend", {"user": "*", "model": "gpt-4o", "team": "*"}))))
    (alice,), (bob,) = (policy.applying(described(team="dba", user=user, model="gpt-4o")) for user in ("alice", "bob"))
    assert alice.budget.id == "default/limits/spend/alice/dba"
    assert alice.budget.subject == {"user": "alice", "model": "gpt-4o", "team": "dba"}
    assert alice.budget.key != bob.budget.key
    assert alice.budget.rule == bob.budget.rule == "default/limits/spend"


EXACT_AND_WILDCARD = budget_document(
    entry("eng", {"group": "engineering"}),
    entry("everyone-else", {"group": "*"}, window={"unit": "Month"}, limit={"unit": "USD", "amount": 1}),
)


def test_exact_beats_wildcard_on_the_same_dimension_whatever_the_limits_are(tmp_path: Path) -> None:
    policy = Policy.read(write(tmp_path, EXACT_AND_WILDCARD))
    assert ids(policy, described(group="engineering")) == {"eng"}
    assert ids(policy, described(group="product")) == {"everyone-else/product"}


def test_two_exact_entries_on_one_subject_both_apply(tmp_path: Path) -> None:
    policy = Policy.read(write(tmp_path, budget_document(entry("a", {"team": "dba"}), entry("b", {"team": "dba"}))))
    assert ids(policy, described(team="dba")) == {"a", "b"}


def test_entries_of_which_neither_is_more_exact_both_apply(tmp_path: Path) -> None:
    text = budget_document(entry("team", {"team": "dba", "user": "*"}), entry("user", {"team": "*", "user": "alice"}))
    assert ids(Policy.read(write(tmp_path, text)), described(team="dba", user="alice")) == {"team/alice", "user/dba"}


def test_an_entry_on_more_dimensions_takes_nothing_from_one_on_fewer(tmp_path: Path) -> None:
    text = budget_document(entry("teams", {"team": "*"}), entry("alice", {"team": "dba", "user": "alice"}))
    assert ids(Policy.read(write(tmp_path, text)), described(team="dba", user="alice")) == {"teams/dba", "alice"}


def test_a_team_cannot_lift_the_platforms_wildcard_with_an_entry_of_its_own(tmp_path: Path) -> None:
    folder = lay_out(
        tmp_path / "platform",
        {
            "enforcement.yaml": enforcement({"from": "All"}),
            "budget.yaml": budget_document(entry("teams", {"team": "*"})),
            "dba/budget.yaml": budget_document(entry("own", {"team": "dba"})),
        },
    )
    applying = Policy.read(folder).applying(described(team="dba"))
    assert {each.budget.id for each in applying} == {"default/limits/teams/dba", "dba/limits/own"}


@pytest.mark.parametrize(
    ("edit", "keeps"),
    [
        ({"limit": {"unit": "Tokens", "amount": 7}}, True),
        ({"onBudgetExceeded": "Audit"}, True),
        ({"limit": {"unit": "USD", "amount": 100}}, False),
        ({"window": {"unit": "Week"}}, False),
        ({"window": {"unit": "Day", "alignment": "Calendar"}}, False),
        ({"subject": {"team": "support"}}, False),
        ({"name": "other"}, False),
    ],
)
def test_an_edit_of_limit_or_action_keeps_what_is_used(tmp_path: Path, edit: dict[str, object], keeps: bool) -> None:
    before = entry("spend", {"team": "dba"})
    (one,) = Policy.read(write(tmp_path, budget_document(before))).spelled_out()
    (other,) = Policy.read(write(tmp_path, budget_document({**before, **edit}))).spelled_out()
    assert (one.key == other.key) is keeps


def test_a_key_cannot_be_forged_by_a_value(tmp_path: Path) -> None:
    policy = Policy.read(write(tmp_path, budget_document(entry("spend", {"a": "*", "b": "*"}))))
    calls = [
        described(a='x"], ["b', b="y"),
        described(a="x", b='b"], ["b", "y'),
        described(a="x/y", b="z"),
        described(a="x", b="y/z"),
    ]
    assert len({policy.applying(call)[0].budget.key for call in calls}) == len(calls)


VALUES = st.sampled_from(["x", "y", "*"])
SUBJECTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, max_size=3)
CALLS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["x", "y", "z", ""]), max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(SUBJECTS, min_size=1, max_size=12), CALLS)
def test_the_index_finds_what_comparing_every_pair_finds(
    tmp_path: Path, subjects: list[dict[str, str]], call: dict[str, str]
) -> None:
    entries = [entry(f"e{number}", subject) for number, subject in enumerate(subjects)]
    policy = Policy.read(write(tmp_path, budget_document(*entries)))
    found = {applying.budget.rule for applying in policy.applying(described(**call))}
    fitting = {number: subject for number, subject in enumerate(subjects) if _fits(subject, call)}
    beaten = {one for one, other in itertools.permutations(fitting, 2) if _beats(fitting[other], fitting[one])}
    assert found == {f"default/limits/e{number}" for number in fitting.keys() - beaten}


def _fits(subject: Mapping[str, str], call: Mapping[str, str]) -> bool:
    return all(call.get(key) and value in ("*", call[key]) for key, value in subject.items())


def _beats(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    exact = [{key for key, value in subject.items() if value != "*"} for subject in (one, other)]
    return one.keys() == other.keys() and exact[0] > exact[1]


def test_a_thousand_exact_teams_cost_no_more_than_ten(tmp_path: Path) -> None:
    def policy(documents: int, entries: int) -> Policy:
        texts = [
            budget_document(*(entry(f"e{i}", {"team": f"t{number}-{i}"}) for i in range(entries)), name=f"d{number}")
            for number in range(documents)
        ]
        return Policy.read(write(tmp_path, "\n---\n".join(texts)))

    call = described(team="t0-9")
    assert _instructions(policy(16, 64), call) == _instructions(policy(1, 10), call)


def _instructions(policy: Policy, call: Call) -> int:
    """How many the interpreter executes to match a call that was matched before."""
    executed = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal executed
        frame.f_trace_opcodes = True
        executed += event == "opcode"
        return trace

    assert len(policy.applying(call)) == 1
    before = sys.gettrace()
    sys.settrace(trace)
    policy.applying(call)
    sys.settrace(before)
    return executed
