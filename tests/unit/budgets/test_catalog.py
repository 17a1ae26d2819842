import json
from pathlib import Path
from typing import Any

import pytest

from budgets.budget import PICO, Usage
from budgets.documents.catalogs import CatalogDocument
from budgets.documents.errors import PolicyError
from budgets.pricing.catalog import read_catalogs

FILE = Path("budgets/catalog.yaml")
PLAIN = {"input": "2.50", "output": "10.00"}


def document(*models: tuple[str, str, Any], place: str = "") -> CatalogDocument:
    providers: dict[str, Any] = {}
    for provider, name, model in models:
        providers.setdefault(provider, {"models": {}})["models"][name] = model
    return CatalogDocument(FILE, place, json.dumps({"providers": providers}))


def one(rates: Any, **more: Any) -> CatalogDocument:
    return document(("openai", "gpt-4.1", {"rates": rates, **more}))


def cost(catalog: CatalogDocument, usage: Usage) -> int:
    return read_catalogs([catalog]).prices["gpt-4.1"].of(usage)


@pytest.mark.parametrize("name", ["cacheRead", "cachedInput"])
def test_cached_input_is_understood_under_both_names(name: str) -> None:
    assert cost(one(PLAIN | {name: "1.25"}), Usage(input=10**6, cached=10**6)) == 125 * PICO // 100


def test_without_a_rate_of_its_own_cached_input_costs_what_input_does() -> None:
    assert cost(one(PLAIN), Usage(input=10**6, cached=10**6)) == 250 * PICO // 100


def test_a_free_model_has_a_price() -> None:
    assert cost(one({"input": "0", "output": "0"}), Usage(10**6, 10**6)) == 0


def test_a_tier_takes_what_it_does_not_state_from_the_model() -> None:
    tiers = [{"contextOver": 500, "rates": {"output": "30"}}, {"contextOver": 200, "rates": {"input": "5"}}]
    catalog = one(PLAIN, tiers=tiers)
    assert [cost(catalog, Usage(tokens, 0)) * 10**6 // tokens for tokens in (200, 201, 501)] == [
        25 * PICO // 10,
        5 * PICO,
        25 * PICO // 10,
    ]
    assert cost(catalog, Usage(501, 10**6)) - cost(catalog, Usage(501, 0)) == 30 * PICO


def test_a_later_catalog_replaces_a_model_and_leaves_the_others() -> None:
    early = document(("openai", "a", {"rates": PLAIN | {"cacheRead": "1"}}), ("openai", "b", {"rates": PLAIN}))
    late = document(("openai", "a", {"rates": {"input": "1", "output": "1"}}))
    prices = read_catalogs([early, late]).prices
    assert prices["a"].of(Usage(input=10**6, cached=10**6)) == PICO
    assert prices["b"].of(Usage(input=10**6)) == 25 * PICO // 10


def test_two_providers_may_price_a_model_alike() -> None:
    catalog = document(("openai", "a", {"rates": PLAIN}), ("azure", "a", {"rates": PLAIN}))
    assert read_catalogs([catalog]).prices.keys() == {"a"}


def test_two_providers_that_price_a_model_apart_are_refused_also_across_catalogs() -> None:
    other = document(("azure", "a", {"rates": {"input": "1", "output": "1"}}))
    with pytest.raises(PolicyError, match=r"providers\.azure\.models\.a: openai and azure price this model apart"):
        read_catalogs([document(("openai", "a", {"rates": PLAIN})), other])


def test_a_rate_that_no_bill_can_follow_is_warned_of() -> None:
    dear = {"rates": PLAIN | {"cacheWrite": "3.125"}}
    catalog = document(("anthropic", "a", dear), ("anthropic", "b", dear))
    (warning,) = read_catalogs([catalog]).warnings
    assert warning.startswith(f"{FILE}: providers.anthropic.models.a and 1 more: cacheWrite is not used")


@pytest.mark.parametrize("rates", [PLAIN | {"cacheWrite": "2.5"}, PLAIN | {"reasoning": "10"}])
def test_rates_that_change_no_bill_are_accepted_in_silence(rates: dict[str, str]) -> None:
    catalog = read_catalogs([one(rates)])
    assert "gpt-4.1" in catalog.prices and not catalog.warnings


def test_no_catalog_is_no_price() -> None:
    assert not read_catalogs([]).prices


MODEL = "providers.openai.models.gpt-4.1"
RATE = "write dollars per million tokens as a string with at most six decimals"

WRONG = {
    "not JSON": (CatalogDocument(FILE, "", "{"), "", "is not JSON: "),
    "nested without end": (CatalogDocument(FILE, "", "[" * 100_000), "", "is not JSON: "),
    "a list": (CatalogDocument(FILE, "", "[]"), "", "Input should be"),
    "no providers": (CatalogDocument(FILE, "", "{}"), "providers", "Field required"),
    "a model twice": (
        CatalogDocument(FILE, "", '{"providers": {"a": {"models": {"x": 1, "x": 2}}}}'),
        "",
        "is not JSON: the name 'x' stands twice in one object",
    ),
    "a nameless model": (document(("openai", "", {"rates": PLAIN})), "providers.openai", "a model needs a name"),
    "a number": (one(PLAIN | {"input": 2.5}), f"{MODEL}.rates.input", RATE),
    "seven decimals": (one(PLAIN | {"output": "0.0000001"}), f"{MODEL}.rates.output", RATE),
    "a negative rate": (one(PLAIN | {"cacheRead": "-1"}), f"{MODEL}.rates.cacheRead", RATE),
    "an exponent": (one(PLAIN | {"input": "1e3"}), f"{MODEL}.rates.input", RATE),
    "not a number": (one(PLAIN | {"input": "NaN"}), f"{MODEL}.rates.input", RATE),
    "other digits": (one(PLAIN | {"input": "٢"}), f"{MODEL}.rates.input", RATE),
    "a space": (one(PLAIN | {"input": "1\n"}), f"{MODEL}.rates.input", RATE),
    "a rate beyond reason": (one(PLAIN | {"input": "100000"}), f"{MODEL}.rates.input", RATE),
    "no output": (one({"input": "1"}), MODEL, "rates needs both input and output"),
    "no rates": (document(("openai", "gpt-4.1", {})), f"{MODEL}.rates", "Field required"),
    "a misspelt rate": (one(PLAIN | {"cached": "1"}), f"{MODEL}.rates.cached", "Extra inputs"),
    "cached input twice": (
        one(PLAIN | {"cacheRead": "1", "cachedInput": "2"}),
        f"{MODEL}.rates",
        "cacheRead and cachedInput are the same rate",
    ),
    "reasoning apart": (one(PLAIN | {"reasoning": "12"}), MODEL, "the rate of reasoning must be that of output"),
    "reasoning apart in a tier": (
        one(PLAIN | {"reasoning": "10.00"}, tiers=[{"contextOver": 1, "rates": {"output": "20"}}]),
        MODEL,
        "the rate of reasoning must be that of output",
    ),
    "a negative tier": (
        one(PLAIN, tiers=[{"contextOver": -1, "rates": {}}]),
        f"{MODEL}.tiers[0].contextOver",
        "Input should be",
    ),
    "a tier twice": (one(PLAIN, tiers=[{"contextOver": 1, "rates": {}}] * 2), MODEL, "two tiers have the same contextOver"),
}


@pytest.mark.parametrize(("catalog", "place", "reason"), WRONG.values(), ids=WRONG)
def test_a_wrong_catalog_is_refused_with_file_place_and_reason(catalog: CatalogDocument, place: str, reason: str) -> None:
    with pytest.raises(PolicyError) as refusal:
        read_catalogs([catalog])
    text = str(refusal.value)
    assert text.startswith(f"{FILE}: {place}: {reason}" if place else f"{FILE}: {reason}")
    assert "\n" not in text


def test_in_a_config_map_the_place_begins_at_its_key() -> None:
    wrong = document(("openai", "a", {}), place="data.catalog.json")
    with pytest.raises(PolicyError, match=r"catalog\.yaml: data\.catalog\.json: providers\.openai\.models\.a\.rates: "):
        read_catalogs([wrong])
