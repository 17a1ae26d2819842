"""The public prices of models, as the package genai-prices brings them. They are data in the package: nothing is fetched.

genai-prices finds a model also by the start of its name, so that a misspelt name may have a price. Here a name is known only if
genai-prices spells it out, whatever the case of its letters. Prices of things that no gateway counts apart are left out:
searches, writes to a cache, pictures, sound.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import cache

from genai_prices.data import providers
from genai_prices.data_snapshot import find_provider_by_id
from genai_prices.types import (
    ClauseEquals,
    ClauseOr,
    ClauseStartsWith,
    MatchLogic,
    ModelInfo,
    ModelPrice,
    Provider,
    TieredPrices,
)

from budgets.pricing.rates import Price, Rates

_Stated = Decimal | TieredPrices | None


def find(model: str, provider: str | None = None) -> ModelInfo | None:
    """The model of this name. Without a provider, or with one that the list does not know, that of its maker."""
    name = model.lower()
    seller = find_provider_by_id(providers, provider) if provider else None
    seller = seller or next((each for each in providers if each.model_match and each.model_match.is_match(name)), None)
    return _models(seller.id).get(name) if seller else None


def price_of(model: ModelInfo, at: datetime) -> Price | None:
    """The price of a moment: lists announce changes, and some providers are cheaper at night. None if not by tokens."""
    stated = model.get_prices(at)
    base = _rates_at(stated, 0)
    if base is None:
        return None
    starts = sorted({tier.start for each in _token_rates(stated) if isinstance(each, TieredPrices) for tier in each.tiers})
    return Price(base, tuple((start, rates) for start in starts if (rates := _rates_at(stated, start + 1))))


@cache
def _models(provider_id: str) -> dict[str, ModelInfo]:
    """Every name that a provider's models are spelled with."""
    provider = next(each for each in providers if each.id == provider_id)
    sellers = [provider, *(each for each in providers if each.id in (provider.fallback_model_providers or ()))]
    return {name: model for seller in reversed(sellers) for name, model in _spelled(seller)}


def _spelled(provider: Provider) -> Iterator[tuple[str, ModelInfo]]:
    for model in provider.models:
        for name in (model.id, *_names(model.match)):
            # A start such as `ft:gpt-4o-2024-` is no name, and an id may be the list's own.
            if name[-1].isalnum() and model.is_match(name):
                yield name.lower(), model


def _names(match: MatchLogic) -> Iterator[str]:
    match match:
        case ClauseEquals(equals=name) | ClauseStartsWith(starts_with=name):
            yield name
        case ClauseOr(or_=either):
            for each in either:
                yield from _names(each)


def _token_rates(stated: ModelPrice) -> tuple[_Stated, ...]:
    return stated.input_mtok, stated.output_mtok, stated.cache_read_mtok, stated.output_reasoning_mtok


def _rates_at(stated: ModelPrice, context: int) -> Rates | None:
    """The output of models that are priced by input alone (embeddings) is billed as input; reasoning is billed as output."""
    rate_in, rate_out, cached, reasoning = (_rate_at(each, context) for each in _token_rates(stated))
    if rate_in is None:
        return None
    dearest = max((rate for rate in (rate_out, reasoning) if rate is not None), default=rate_in)
    return Rates.per_million(rate_in, dearest, cached)


def _rate_at(stated: _Stated, context: int) -> Decimal | None:
    if not isinstance(stated, TieredPrices):
        return stated
    return next((tier.price for tier in reversed(stated.tiers) if context > tier.start), stated.base)
