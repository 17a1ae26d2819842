from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families

from budgets.budget import PICO, Budget, Measure, Usage
from budgets.metrics import LONGEST_MODEL, MOST_MODELS, MOST_UNPRICED_MODELS, Metrics
from budgets.windows import FixedWindow, Unit

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass
class Stood:
    budget: Budget
    used: int = 0
    reserved: int = 0

    @property
    def remaining(self) -> int:
        return max(0, self.budget.limit - self.used - self.reserved)


def budget(limit: int = 100, measure: Measure = Measure.TOKENS, **subject: str) -> Budget:
    id_ = "/".join(("rule", *subject.values()))
    return Budget(id_, "rule", id_, subject, limit, measure, FixedWindow(Unit.DAY))


def scrape(metrics: Metrics, *balances: Stood) -> Samples:
    body, content_type = metrics.render(balances)
    assert content_type.startswith("text/plain")
    families = text_string_to_metric_families(body.decode())
    return {(sample.name, frozenset(sample.labels.items())): sample.value for family in families for sample in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_a_refusal_is_counted_by_budget_team_and_reason() -> None:
    metrics = Metrics()
    for reason in ("budget_exhausted", "budget_exhausted", "no_budget"):
        metrics.refused("rule", "dba", reason)
    samples = scrape(metrics)
    assert value(samples, "budgets_refusals_total", budget="rule", team="dba", reason="budget_exhausted") == 2
    assert value(samples, "budgets_refusals_total", budget="rule", team="dba", reason="no_budget") == 1


def test_a_charge_is_counted_by_the_rule_and_the_team_of_its_budget() -> None:
    metrics = Metrics()
    metrics.charged(budget(team="dba", user="alice"))
    metrics.charged(budget(team="dba", user="bob"))
    metrics.charged(budget())
    samples = scrape(metrics)
    assert value(samples, "budgets_charges_total", budget="rule", team="dba") == 2
    assert value(samples, "budgets_charges_total", budget="rule", team="") == 1


def test_tokens_and_cost_are_counted_by_team_and_model() -> None:
    metrics = Metrics()
    metrics.used({"team": "dba", "user": "alice", "model": "gpt-4o"}, Usage(21, 683, cached=5, unsplit=7), 6_882_500_000)
    samples = scrape(metrics)
    kinds = {"input": 21, "output": 683, "cached": 5, "unsplit": 7}
    for kind, tokens in kinds.items():
        assert value(samples, "budgets_tokens_total", team="dba", model="gpt-4o", kind=kind) == tokens
    assert value(samples, "budgets_cost_usd_total", team="dba", model="gpt-4o") == pytest.approx(0.0068825)


def test_a_model_without_a_price_has_tokens_and_no_cost() -> None:
    metrics = Metrics()
    metrics.used({"model": "essay"}, Usage(output=1), None)
    totals = {name for name, labels in scrape(metrics) if ("model", "essay") in labels and name.endswith("_total")}
    assert totals == {"budgets_tokens_total"}


@pytest.mark.parametrize(("cost", "most"), [(None, MOST_UNPRICED_MODELS), (1, MOST_MODELS)])
def test_models_that_callers_invent_end_up_in_one_series(cost: int | None, most: int) -> None:
    metrics = Metrics()
    for number in range(most + 10):
        metrics.used({"model": f"model-{number}"}, Usage(output=1), cost)
    metrics.used({"model": "model-0"}, Usage(output=1), cost)
    samples = scrape(metrics)
    series = [labels for name, labels in samples if name == "budgets_tokens_total"]
    assert len(series) == most + 1
    assert value(samples, "budgets_tokens_total", team="", model="other", kind="output") == 10
    assert value(samples, "budgets_tokens_total", team="", model="model-0", kind="output") == 2


def test_invented_models_leave_room_for_those_with_a_price() -> None:
    metrics = Metrics()
    for number in range(MOST_UNPRICED_MODELS + 1):
        metrics.used({"model": f"model-{number}"}, Usage(output=1), None)
    metrics.used({"model": "gpt-4o"}, Usage(output=1), 1)
    assert value(scrape(metrics), "budgets_tokens_total", team="", model="gpt-4o", kind="output") == 1


def test_many_models_with_a_price_leave_room_for_those_without() -> None:
    metrics = Metrics()
    for number in range(MOST_UNPRICED_MODELS):
        metrics.used({"model": f"model-{number}"}, Usage(output=1), 1)
    metrics.used({"model": "essay"}, Usage(output=1), None)
    assert value(scrape(metrics), "budgets_tokens_total", team="", model="essay", kind="output") == 1


def test_a_model_name_of_any_length_makes_no_label() -> None:
    metrics = Metrics()
    metrics.used({"model": "x" * (LONGEST_MODEL + 1)}, Usage(output=1), None)
    assert value(scrape(metrics), "budgets_tokens_total", team="", model="other", kind="output") == 1


def test_what_was_waved_through_and_how_reservations_ended_is_counted() -> None:
    metrics = Metrics()
    assert value(scrape(metrics), "budgets_waved_through_total") == 0
    metrics.waved_through()
    for outcome in ("committed", "released", "estimated", "expired", "committed"):
        metrics.reservation(outcome)
    samples = scrape(metrics)
    assert value(samples, "budgets_waved_through_total") == 1
    assert value(samples, "budgets_reservations_total", outcome="committed") == 2
    assert value(samples, "budgets_reservations_total", outcome="expired") == 1


def test_the_store_is_timed_from_a_quarter_of_a_millisecond_to_two_seconds() -> None:
    metrics = Metrics()
    with metrics.store_seconds("check"):
        pass
    samples = scrape(metrics)
    assert value(samples, "budgets_store_seconds_count", operation="check") == 1
    bounds = sorted(float(dict(labels)["le"]) for name, labels in samples if name == "budgets_store_seconds_bucket")
    assert (bounds[0], bounds[-2]) == (0.00025, 2.0)


def test_a_time_is_taken_also_where_the_store_fails() -> None:
    metrics = Metrics()
    with pytest.raises(OSError), metrics.store_seconds("check"):
        raise OSError
    assert value(scrape(metrics), "budgets_store_seconds_count", operation="check") == 1


def test_budgets_stand_as_they_did_at_the_scrape() -> None:
    metrics = Metrics()
    scrape(metrics, Stood(budget(team="sales"), used=1))
    samples = scrape(metrics, Stood(budget(team="dba"), used=60, reserved=15))
    labels = {"budget": "rule", "team": "dba", "unit": "tokens"}
    figures = [value(samples, f"budgets_{name}", **labels) for name in ("used", "limit", "reserved", "remaining_ratio")]
    assert figures == [60, 100, 15, 0.25]
    assert not any(("team", "sales") in labels for _, labels in samples)


def test_dollars_are_told_as_dollars() -> None:
    samples = scrape(Metrics(), Stood(budget(5 * PICO, Measure.USD), used=PICO // 2, reserved=PICO))
    labels = {"budget": "rule", "team": "", "unit": "usd"}
    figures = [value(samples, f"budgets_{name}", **labels) for name in ("used", "limit", "reserved", "remaining_ratio")]
    assert figures == [0.5, 5, 1, 0.7]


def test_the_users_of_a_team_are_summed_and_the_tightest_tells_the_ratio() -> None:
    alice, bob = budget(team="dba", user="alice"), budget(team="dba", user="bob")
    samples = scrape(Metrics(), Stood(alice, used=90), Stood(bob, used=5, reserved=5))
    labels = {"budget": "rule", "team": "dba", "unit": "tokens"}
    figures = [value(samples, f"budgets_{name}", **labels) for name in ("used", "limit", "reserved", "remaining_ratio")]
    assert figures == [95, 200, 5, 0.1]


def test_a_budget_of_nothing_has_nothing_left() -> None:
    samples = scrape(Metrics(), Stood(budget(0)))
    assert value(samples, "budgets_remaining_ratio", budget="rule", team="", unit="tokens") == 0


def test_no_series_names_a_user() -> None:
    metrics = Metrics()
    alice = budget(team="dba", user="alice")
    metrics.used({"user": "alice", "team": "dba", "model": "gpt-4o"}, Usage(1, 1), 1)
    metrics.charged(alice)
    metrics.refused(alice.rule, "dba", "budget_exhausted")
    assert b"alice" not in metrics.render([Stood(alice)])[0]


def test_two_services_in_one_process_count_apart() -> None:
    first, second = Metrics(), Metrics()
    first.waved_through()
    assert value(scrape(second), "budgets_waved_through_total") == 0
