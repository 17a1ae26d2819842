import pytest

from budgets.budget import Action, Budget
from budgets.decision import Balance, Decision, Refusal
from budgets.stores.store import FADES, Tally
from budgets.windows import FixedWindow, RollingWindow, Unit
from tests.unit.budgets.some_budgets import budget

NOW = 1_000_000_000.25


def balance(
    name: str, limit: int, used: int = 0, reset_in: int = 60, *, reserved: int = 0, action: Action = Action.BLOCK
) -> Balance:
    return Balance(budget(name, limit, action=action), used, reserved, int(NOW) + reset_in, reset_in)


def named(each: Balance | None) -> str | None:
    return each.budget.rule if each else None


@pytest.mark.parametrize(("used", "spent"), [(4_999, False), (5_000, True), (5_001, True)])
def test_a_budget_is_spent_when_used_equals_the_limit(used: int, spent: bool) -> None:
    assert balance("b", 5_000, used).spent is spent


def test_a_limit_of_zero_is_spent_from_the_start_and_has_nothing_left() -> None:
    nothing = balance("b", 0)
    assert (nothing.spent, nothing.has_room, nothing.share_left) == (True, False, 0.0)


@pytest.mark.parametrize(
    ("used", "reserved", "remaining"), [(0, 0, 100), (40, 0, 60), (40, 35, 25), (40, 60, 0), (140, 0, 0), (90, 20, 0)]
)
def test_what_is_left_is_never_less_than_nothing(used: int, reserved: int, remaining: int) -> None:
    one = balance("b", 100, used, reserved=reserved)
    assert (one.remaining, one.has_room, one.share_left) == (remaining, remaining > 0, remaining / 100)


def test_what_is_reserved_leaves_no_room_and_is_not_spent() -> None:
    reserved = balance("b", 100, 40, reserved=60)
    assert (reserved.has_room, reserved.spent) == (False, False)


def test_without_a_refusal_a_call_is_admitted() -> None:
    assert Decision().admitted
    assert not any(Decision(refusal=refusal).admitted for refusal in Refusal)


def test_the_tightest_budget_has_the_least_share_left_and_not_the_least_amount() -> None:
    small, large = balance("small", 10, 1), balance("large", 1_000, 999)
    assert named(Decision((small, large)).tightest) == "large"
    dearer = balance("small", 10, 9)
    assert named(Decision((dearer, balance("large", 1_000, 500))).tightest) == "small"


def test_of_budgets_with_the_same_share_left_the_one_that_resets_first_is_the_tightest() -> None:
    """An hour of 20,000 is tighter than a day of 200,000, though neither is used."""
    assert named(Decision((balance("late", 20, 10, 3_600), balance("soon", 10, 5, 60))).tightest) == "soon"


def test_of_spent_budgets_the_one_that_resets_last_is_the_tightest() -> None:
    assert named(Decision((balance("soon", 10, 10, 60), balance("late", 20, 20, 3_600))).tightest) == "late"


def test_a_spent_budget_is_tighter_than_one_that_is_reserved_whole() -> None:
    spent, reserved = balance("spent", 10, 10, 60), balance("reserved", 10, 5, 3_600, reserved=5)
    assert named(Decision((reserved, spent)).tightest) == "spent"


def test_an_audited_budget_is_never_the_tightest() -> None:
    audited = balance("audited", 10, 1_000, action=Action.AUDIT)
    assert Decision((audited,)).tightest is None
    blocking = balance("blocking", 1_000, 1)
    decision = Decision((audited, blocking), refusal=Refusal.SPENT)
    assert (named(decision.tightest), named(decision.refused_by)) == ("blocking", "blocking")
    assert decision.blocking == [blocking]


@pytest.mark.parametrize(
    ("refusal", "by"),
    [(None, None), (Refusal.SPENT, "b"), (Refusal.RESERVED, "b"), (Refusal.UNCOVERED, None), (Refusal.UNPRICED, None)],
)
def test_only_a_refusal_for_want_of_room_has_a_budget_that_refused(refusal: Refusal | None, by: str | None) -> None:
    assert named(Decision((balance("b", 1, 1),), refusal=refusal).refused_by) == by


def hourly() -> Budget:
    return budget(window=FixedWindow(Unit.HOUR))


def test_a_balance_resets_when_its_window_ends() -> None:
    one = Balance.of(hourly(), Tally(7, 3), NOW)
    assert (one.used, one.reserved) == (7, 3)
    assert one.reset_at % 3_600 == 0
    assert one.reset_at - 3_600 <= NOW < one.reset_at


def test_the_seconds_until_the_reset_are_rounded_up_and_never_none() -> None:
    end = Balance.of(hourly(), Tally(0, 0), NOW).reset_at
    assert Balance.of(hourly(), Tally(0, 0), end - 10.25).reset_in == 11
    assert Balance.of(hourly(), Tally(0, 0), end - 10).reset_in == 10
    assert Balance.of(hourly(), Tally(0, 0), end - 0.001).reset_in == 1


def test_a_spent_rolling_budget_resets_when_the_bucket_that_makes_room_has_left() -> None:
    window = RollingWindow(Unit.DAY)
    bucket = window.place(NOW).bucket - 40
    one = Balance.of(budget(window=window), Tally(1_000, 0, room_after=bucket), NOW)
    assert one.reset_at == window.resets_at(NOW, bucket) < window.resets_at(NOW, None)


def test_the_burn_rate_fades_with_the_time_since_the_last_charge() -> None:
    fresh = Balance.of(hourly(), Tally(0, 0, burnt=600, burnt_at=NOW), NOW)
    assert fresh.burn_rate == pytest.approx(600 / FADES)
    later = Balance.of(hourly(), Tally(0, 0, burnt=600, burnt_at=NOW), NOW + FADES)
    assert later.burn_rate == pytest.approx(600 / FADES / 2.718281828)
