import subprocess
import sys
import timeit
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.budget import PICO, Usage
from budgets.documents.catalogs import CatalogDocument
from budgets.pricing.prices import LONGEST_NAME, Prices, usd
from budgets.pricing.rates import Price, Rates

ESSAY = Usage(input=21, output=683)


def catalog(models: str) -> CatalogDocument:
    return CatalogDocument(Path("catalog.json"), "", f'{{"providers": {{"mock": {{"models": {{{models}}}}}}}}}')


def priced(name: str, rate_in: str = "7", rate_out: str = "7") -> str:
    return f'"{name}": {{"rates": {{"input": "{rate_in}", "output": "{rate_out}"}}}}'


@pytest.mark.parametrize("catalogs", [(), (catalog(priced("gpt-4o", "2.50", "10.00")),)], ids=["public prices", "catalog"])
def test_the_essay_of_the_field_report_costs_what_it_says(catalogs: tuple[CatalogDocument, ...]) -> None:
    cost = Prices(catalogs).cost("gpt-4o", ESSAY)
    assert cost == 6_882_500_000
    assert usd(cost) == "0.0068825"


@pytest.mark.parametrize(
    "model", ["gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-20240806", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5@20250929"]
)
def test_a_known_model_and_its_dated_versions_have_a_public_price(model: str) -> None:
    assert Prices().cost(model, ESSAY)


@pytest.mark.parametrize(
    "model",
    [
        "",
        "gpt-4o-typo",
        "gpt4oo",
        "gpt-4o-",
        "gpt-5-nano-",
        "gpt-4o-2024",
        "gpt-4o-2024-13-01",
        "gpt-4o-2024-08-06-typo",
        "gpt-4o-2024-08-06-2024-08-06",
        "claude-sonnet-4-5x",
        "gemini-2.5-pro-typo",
        "moderation-typo",
        "gpt-4o\n",
    ],
)
def test_a_misspelt_model_has_no_price(model: str) -> None:
    assert Prices().cost(model, ESSAY) is None


@pytest.mark.parametrize("name", ["ft:gpt-4o", "ft:gpt-4o-2024-", "gpt-5-nano-"])
def test_an_entry_of_the_price_list_is_no_name_of_a_model(name: str) -> None:
    assert Prices().of(name, "openai") is None


def test_a_version_with_a_price_of_its_own_keeps_it() -> None:
    first = Prices().of("gpt-4o-2024-05-13")
    assert first and first != Prices().of("gpt-4o")
    assert Prices([catalog(priced("gpt-4o"))]).of("gpt-4o-2024-05-13") == first


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2025-03-01"])
def test_the_catalog_comes_before_the_public_prices_for_every_version(model: str) -> None:
    assert Prices([catalog(priced("gpt-4o"))]).cost(model, Usage(output=1)) == 7 * PICO // 10**6


def test_a_model_that_only_the_catalog_knows_has_dated_versions_too() -> None:
    prices = Prices([catalog(priced("essay"))])
    assert prices.of("essay-2026-11-21") == prices.of("essay")
    assert prices.of("essay-x") is None


def test_the_catalog_may_price_a_version_by_itself() -> None:
    prices = Prices([catalog(f"{priced('essay')}, {priced('essay-2026-11-21', '8')}")])
    assert prices.of("essay-2026-11-21") != prices.of("essay")


def test_the_provider_decides_among_public_prices() -> None:
    prices = Prices()
    name = "deepseek/deepseek-v4-flash"
    assert prices.of(name) is None
    assert prices.of(name, "openrouter")
    assert prices.of(name, "avian") != prices.of(name, "openrouter")


def test_a_version_has_a_price_of_its_own_at_its_provider() -> None:
    prices = Prices([catalog(priced("openai/gpt-4o"))])
    assert prices.of("openai/gpt-4o-2024-05-13", "openrouter") != prices.of("openai/gpt-4o")


def test_an_unknown_provider_is_passed_over() -> None:
    assert Prices().of("gpt-4o", "our-proxy") == Prices().of("gpt-4o")


def test_cached_input_has_its_own_rate() -> None:
    assert Prices().cost("gpt-4o", Usage(input=1_000_000, cached=400_000)) == (6 * 250 + 4 * 125) * PICO // 1000


def test_more_cached_tokens_than_input_are_not_paid_back() -> None:
    assert Prices().cost("gpt-4o", Usage(input=10, cached=99)) == Prices().cost("gpt-4o", Usage(input=10, cached=10))


@pytest.mark.parametrize(("rate_in", "rate_out"), [("1", "3"), ("3", "1")])
def test_tokens_of_unknown_kind_are_billed_as_the_dearer_kind(rate_in: str, rate_out: str) -> None:
    prices = Prices([catalog(priced("essay", rate_in, rate_out))])
    assert prices.cost("essay", Usage(unsplit=1_000_000)) == 3 * PICO


def test_above_its_threshold_a_tier_holds_for_every_token() -> None:
    low, high = Rates.per_million(Decimal(1), Decimal(2)), Rates.per_million(Decimal(3), Decimal(4))
    price = Price(low, ((200_000, high),))
    assert price.of(Usage(200_000, 1_000_000)) == 22 * PICO // 10
    assert price.of(Usage(200_001, 1_000_000)) == 4 * PICO + 200_001 * 3 * PICO // 10**6
    assert price.of(Usage(unsplit=200_001)) == 200_001 * 4 * PICO // 10**6


def test_a_public_price_that_changes_is_that_of_the_day() -> None:
    now = datetime(2026, 11, 30, 23, 59, tzinfo=UTC).timestamp()
    prices = Prices(now=lambda: now)
    before = prices.cost("gemini-4-argon", ESSAY)
    now += 60
    assert before and prices.cost("gemini-4-argon", ESSAY) == 2 * before


def test_a_part_of_a_picodollar_is_rounded_up() -> None:
    price = Price(Rates.per_million(Decimal("0.0000001"), Decimal(0)))
    assert [price.of(Usage(input=tokens)) for tokens in (0, 1, 10, 11)] == [0, 1, 1, 2]


def test_the_smallest_rate_is_not_free() -> None:
    assert Price(Rates.per_million(Decimal("1e-30"), Decimal(0))).of(Usage(input=1)) == 1


usages = st.tuples(*[st.integers(0, 2**32 - 1)] * 3).map(lambda figures: Usage(*figures))
rates = st.decimals(0, 10_000, places=6)


@given(usages, rates, rates, rates)
def test_a_cost_is_exact(usage: Usage, rate_in: Decimal, rate_out: Decimal, rate_cached: Decimal) -> None:
    cached = min(usage.cached, usage.input)
    exact = (usage.input - cached) * Fraction(rate_in) + cached * Fraction(rate_cached) + usage.output * Fraction(rate_out)
    assert Price(Rates.per_million(rate_in, rate_out, rate_cached)).of(usage) == exact * PICO / 10**6


@pytest.mark.parametrize(
    ("picodollars", "text"),
    [(0, "0"), (1, "0.000000000001"), (5 * PICO, "5"), (100 * PICO, "100"), (6_882_500_000, "0.0068825"), (-PICO, "-1")],
)
def test_dollars_are_told_exactly(picodollars: int, text: str) -> None:
    assert usd(picodollars) == text


@given(st.integers(0, 9_000_000 * PICO))
def test_told_dollars_read_back_as_they_were(picodollars: int) -> None:
    assert Fraction(usd(picodollars)) * PICO == picodollars


def test_names_that_callers_invent_are_not_kept_without_end() -> None:
    prices = Prices()
    assert prices.of("x" * (LONGEST_NAME + 1)) is None
    assert prices.of("x", "y" * (LONGEST_NAME + 1)) is None
    assert prices._found.cache_info().currsize == 0
    for number in range(1100):
        prices.of(f"invented-{number}")
    assert prices._found.cache_info().currsize == 1000


def test_a_price_that_was_just_asked_for_takes_microseconds() -> None:
    prices = Prices()
    seconds = min(timeit.repeat(lambda: prices.cost("gpt-4o", ESSAY), number=1000, repeat=5)) / 1000
    assert seconds < 20e-6


OFFLINE = """
import sys

def refuse(event, arguments):
    if event.startswith("socket."):
        raise SystemExit(f"reached for the network: {event}")

sys.addaudithook(refuse)
from budgets.budget import Usage
from budgets.pricing.prices import Prices
assert Prices().cost("gpt-4o", Usage(21, 683)) and Prices().cost("nobody-knows", Usage(21, 683)) is None
"""


def test_no_price_is_fetched() -> None:
    subprocess.run([sys.executable, "-c", OFFLINE], check=True, timeout=60)
