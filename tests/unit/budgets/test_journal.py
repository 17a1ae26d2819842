import json
import logging

import pytest

from budgets.budget import PICO, Action, Measure, Usage
from budgets.decision import Balance, Decision, Refusal
from budgets.journal import Journal
from budgets.matching.policy import Call
from budgets.metrics import Metrics
from budgets.quoting import logged_name
from budgets.stores.store import Lapsed, StoreAway
from budgets.windows import FixedWindow, RollingWindow, Unit
from tests.unit.budgets.some_budgets import budget

CALL = Call(((("team", "dba"), ("user", "alice"), ("model", "gpt-4o"), ("tier", "free")),), described=True)
WHO = 'team="dba" user="alice" model="gpt-4o" tier="free"'
HOSTILE = 'gpt\n2026-11-21 INFO charged: request=forged "\x1b[2J'
QUOTED = '"gpt\\n2026-11-21 INFO charged: request=forged \\"\\u001b[2J"'


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def journal(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> Journal:
    caplog.set_level(logging.DEBUG, logger="budgets")
    return Journal(metrics)


def balance(
    used: int, reserved: int = 0, *, action: Action = Action.BLOCK, measure: Measure = Measure.TOKENS, unit: Unit = Unit.DAY
) -> Balance:
    return Balance(
        budget("default/demo/spend", 2_000, RollingWindow(unit), action=action, measure=measure), used, reserved, 0, 60
    )


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    assert {name for name, _, _ in caplog.record_tuples} <= {"budgets"}
    return [(level, message) for _, level, message in caplog.record_tuples]


def scraped(metrics: Metrics) -> str:
    return metrics.render([])[0].decode()


def test_a_spent_budget_is_logged_with_the_fields_of_the_gateway_that_alerts_know(
    journal: Journal, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    journal.refused(Decision((balance(2_012),), refusal=Refusal.SPENT), CALL)
    assert lines(caplog) == [
        (
            logging.WARNING,
            'budget exceeded; blocking: budget_id=default/demo/spend/dba budget_action="BLOCK" budget_unit="TOKENS" '
            f'budget_limit=2000 budget_window="DAILY" phase="admission" outcome="over_limit_block" {WHO}',
        )
    ]
    assert 'budgets_refusals_total{budget="default/demo/spend",reason="budget_exhausted",team="dba"} 1.0' in scraped(metrics)


def test_a_budget_that_is_reserved_whole_has_an_outcome_of_its_own(
    journal: Journal, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    journal.refused(Decision((balance(0, 2_000),), refusal=Refusal.RESERVED), CALL)
    assert 'outcome="reserved_block"' in lines(caplog)[0][1]
    assert 'reason="budget_reserved",team="dba"} 1.0' in scraped(metrics)


def test_a_refusal_without_a_budget_says_why(journal: Journal, metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    journal.refused(Decision(refusal=Refusal.UNPRICED, model="gpt-4o"), CALL)
    journal.refused(Decision(refusal=Refusal.UNCOVERED), CALL)
    assert lines(caplog) == [
        (logging.WARNING, f'model without a price; blocking: phase="admission" outcome="unpriced_block" {WHO}'),
        (logging.WARNING, f'no budget covers the caller; blocking: phase="admission" outcome="uncovered_block" {WHO}'),
    ]
    assert 'budgets_refusals_total{budget="",reason="model_unpriced",team="dba"} 1.0' in scraped(metrics)
    assert 'budgets_refusals_total{budget="",reason="no_budget",team="dba"} 1.0' in scraped(metrics)


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        (Unit.SECOND, "SECONDLY"),
        (Unit.MINUTE, "MINUTELY"),
        (Unit.HOUR, "HOURLY"),
        (Unit.DAY, "DAILY"),
        (Unit.WEEK, "WEEKLY"),
        (Unit.MONTH, "MONTHLY"),
        (Unit.YEAR, "YEARLY"),
    ],
)
def test_every_window_has_a_name(journal: Journal, caplog: pytest.LogCaptureFixture, unit: Unit, name: str) -> None:
    journal.refused(Decision((balance(2_000, unit=unit),), refusal=Refusal.SPENT), CALL)
    assert f'budget_window="{name}"' in lines(caplog)[0][1]


def test_a_limit_in_dollars_is_told_in_dollars(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    journal.refused(Decision((balance(2_000 * PICO, measure=Measure.USD),), refusal=Refusal.SPENT), CALL)
    assert 'budget_unit="USD" budget_limit=2000 ' in lines(caplog)[0][1]


@pytest.mark.parametrize(("used", "reserved"), [(2_000, 0), (5_000, 0), (1_000, 1_000)])
def test_an_audited_budget_without_room_is_logged_as_it_would_have_blocked(
    journal: Journal, caplog: pytest.LogCaptureFixture, used: int, reserved: int
) -> None:
    journal.admitted(Decision((balance(0), balance(used, reserved, action=Action.AUDIT))), [False, False], CALL)
    ((level, line),) = lines(caplog)
    assert level == logging.WARNING
    assert line.startswith(
        'budget exceeded; auditing: budget_id=default/demo/spend/dba budget_action="AUDIT" budget_unit="TOKENS" '
        'budget_limit=2000 budget_window="DAILY" phase="admission" outcome="over_limit_audit"'
    )
    assert line.endswith(WHO)


def test_an_audited_budget_says_when_a_model_has_no_price(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    journal.admitted(Decision((balance(0, action=Action.AUDIT),)), [True], CALL)
    ((_, line),) = lines(caplog)
    assert line.startswith("model without a price; auditing: budget_id=default/demo/spend/dba ")
    assert 'outcome="unpriced_audit"' in line


def test_a_call_with_room_everywhere_is_not_worth_a_line(
    journal: Journal, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    journal.admitted(Decision((balance(1_999), balance(1_999, action=Action.AUDIT))), [False, False], CALL)
    assert lines(caplog) == []
    assert "budgets_refusals_total{" not in scraped(metrics)


def test_a_charge_is_logged_with_who_used_what_at_which_cost(
    journal: Journal, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    usage = Usage(input=21, output=683, cached=5)
    dollars = budget("dollars", 10, FixedWindow(Unit.MONTH), measure=Measure.USD)
    cost = 6_882_500_000
    journal.charged("r-1", CALL.dimensions, usage, cost, {balance(0).budget: usage.tokens, dollars: cost})
    assert lines(caplog) == [
        (
            logging.INFO,
            f"charged: request=r-1 {WHO} tokens_in=21 tokens_out=683 tokens_cached=5 tokens=704 cost_usd=0.0068825 "
            'budgets={"default/demo/spend/dba": 704, "dollars/dba": "0.0068825"}',
        )
    ]
    told = scraped(metrics)
    assert 'budgets_tokens_total{kind="output",model="gpt-4o",team="dba"} 683.0' in told
    assert 'budgets_cost_usd_total{model="gpt-4o",team="dba"} 0.0068825' in told
    assert 'budgets_charges_total{budget="dollars",team="dba"} 1.0' in told
    assert 'budgets_charges_total{budget="default/demo/spend",team="dba"} 1.0' in told
    assert 'budgets_reservations_total{outcome="committed"} 1.0' in told


def test_a_charge_of_unknown_cost_and_callers_says_so(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    journal.charged("r-1", {}, Usage(unsplit=7), None, {})
    assert lines(caplog) == [
        (
            logging.INFO,
            'charged: request=r-1 team="" user="" model="" tokens_in=0 tokens_out=0 tokens_cached=0 tokens=7 '
            "cost_usd=unknown budgets={}",
        )
    ]


def test_a_charge_without_a_price_names_the_budget_that_it_passed_by(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    journal.unpriced(balance(0).budget, CALL.dimensions)
    expected = f'model without a price; charged nothing: budget_id=default/demo/spend/dba phase="charge" {WHO}'
    assert lines(caplog) == [(logging.WARNING, expected)]


NOTE = json.dumps({"dimensions": dict(CALL.dimensions), "input": 250, "output": 750})


def test_a_call_that_failed_was_released(journal: Journal, metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    journal.ended("r-1", 503, True, NOTE)
    assert lines(caplog) == [(logging.INFO, "released: request=r-1 status=503")]
    assert 'budgets_reservations_total{outcome="released"} 1.0' in scraped(metrics)


def test_a_call_whose_caller_hung_up_is_logged_with_its_estimate(
    journal: Journal, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    journal.ended("r-1", 0, False, NOTE)
    expected = f"answered without usage, so charged its estimate: request=r-1 status=0 {WHO} tokens_in=250 tokens_out=750"
    assert lines(caplog) == [(logging.WARNING, expected)]
    assert 'budgets_reservations_total{outcome="estimated"} 1.0' in scraped(metrics)


@pytest.mark.parametrize(("committed", "how"), [(True, "charged its estimate"), (False, "released")])
def test_a_reservation_that_lapsed_is_logged_with_its_estimate(
    journal: Journal, metrics: Metrics, caplog: pytest.LogCaptureFixture, committed: bool, how: str
) -> None:
    journal.expired(Lapsed("r-1", committed, NOTE))
    expected = f"no charge came in time, so {how}: request=r-1 {WHO} tokens_in=250 tokens_out=750"
    assert lines(caplog) == [(logging.WARNING, expected)]
    assert 'budgets_reservations_total{outcome="expired"} 1.0' in scraped(metrics)


def test_a_call_that_goes_unchecked_is_an_error_in_the_log(
    journal: Journal, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    journal.waved_through(CALL, "r-1", StoreAway("it stalls"))
    expected = f"unchecked, because BUDGETS_FAIL_OPEN is set: request=r-1 {WHO}: it stalls"
    assert lines(caplog) == [(logging.ERROR, expected)]
    assert "budgets_waved_through_total 1.0" in scraped(metrics)


def test_what_a_caller_chooses_cannot_forge_a_line(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    hostile = Call(((("team", "dba"), ("user", "alice"), ("model", HOSTILE)),), described=True)
    spent = Balance(budget("b", team=HOSTILE), 1_000, 0, 0, 60)
    audited = Balance(budget("b", team=HOSTILE, action=Action.AUDIT), 1_000, 0, 0, 60)
    note = json.dumps({"dimensions": dict(hostile.dimensions), "input": 1, "output": 1})
    journal.refused(Decision((spent,), refusal=Refusal.SPENT), hostile)
    journal.refused(Decision(refusal=Refusal.UNPRICED, model=HOSTILE), hostile)
    journal.refused(Decision(refusal=Refusal.UNCOVERED), hostile)
    journal.admitted(Decision((audited,)), [False], hostile)
    journal.charged(HOSTILE, hostile.dimensions, Usage(), None, {spent.budget: 0})
    journal.unpriced(spent.budget, hostile.dimensions)
    journal.ended(HOSTILE, 500, True, note)
    journal.ended(HOSTILE, 200, False, note)
    journal.expired(Lapsed(HOSTILE, True, note))
    journal.waved_through(hostile, HOSTILE, StoreAway("away"))
    told = [line for _, line in lines(caplog)]
    assert len(told) == 10
    assert all(line.isprintable() and line.isascii() for line in told)
    assert f"model={QUOTED}" in told[0]
    assert 'budget_id="b/gpt\\n' in told[0]


def test_no_user_is_in_the_metrics(journal: Journal, metrics: Metrics) -> None:
    spent = Balance(budget("b", team="alice-of-dba"), 1_000, 0, 0, 60)
    dimensions = {"team": "dba", "user": "alice-herself", "user_id": "alice-herself", "virtualKey": "alice-key"}
    journal.refused(Decision((spent,), refusal=Refusal.SPENT), Call((tuple(dimensions.items()),), described=True))
    journal.charged("r-1", dimensions, Usage(input=1), 1, {spent.budget: 1})
    assert "alice-herself" not in scraped(metrics)
    assert "alice-key" not in scraped(metrics)


@pytest.mark.parametrize(
    ("text", "logged"),
    [
        ("team-token-budget/dba/hour", "team-token-budget/dba/hour"),
        ("b7c0-42", "b7c0-42"),
        ("a b", '"a b"'),
        ("a\n", '"a\\n"'),
        ("ä", '"\\u00e4"'),
        ("", '""'),
        (None, "null"),
    ],
)
def test_a_name_is_quoted_where_it_could_be_taken_for_more_than_one_word(text: str | None, logged: str) -> None:
    assert logged_name(text) == logged
