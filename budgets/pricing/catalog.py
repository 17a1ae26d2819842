"""The model cost catalog, `catalog.json`, in the format of agentgateway's `modelCatalog`.

    {"providers": {"openai": {"models": {"gpt-4o": {"rates": {"input": "2.50", "output": "10.00", "cacheRead": "1.25"}}}}}}

Rates are dollars per million tokens, written as strings, since JSON's numbers are rounded. `tiers` hold above a context of so
many input tokens; a rate that a tier does not state is the model's. `cacheRead` may be called `cachedInput`. Two rates are not
used: `cacheWrite`, since no gateway tells how many tokens were written to a cache (they are billed as input, and a warning says
so where that is too little), and `reasoning`, which must be that of output, since reasoning tokens come as part of the output.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from budgets.documents.catalogs import CatalogDocument
from budgets.documents.errors import PolicyError
from budgets.pricing.rates import Price, Rates
from service.yaml_files import place_in

_RATE = re.compile(r"[0-9]{1,5}(\.[0-9]{1,6})?")


@dataclass(frozen=True)
class Catalog:
    """The catalogs of a policy, merged."""

    prices: Mapping[str, Price]
    """By the name of the model."""
    warnings: tuple[str, ...] = ()


def read_catalogs(documents: Iterable[CatalogDocument]) -> Catalog:
    """Later catalogs replace the models of earlier ones. Raises PolicyError, also where two providers price one name apart."""
    found: dict[tuple[str, str], tuple[CatalogDocument, Price]] = {}
    warnings: list[str] = []
    for document in documents:
        models = _models(document)
        found |= {where: (document, model.price) for where, model in models.items()}
        warnings += _written_to_a_cache(document, [where for where, model in models.items() if model.bills_writes_as_less])
    return Catalog(_by_name(found), tuple(warnings))


def _by_name(found: Mapping[tuple[str, str], tuple[CatalogDocument, Price]]) -> dict[str, Price]:
    prices: dict[str, Price] = {}
    priced_by: dict[str, str] = {}
    for (provider, name), (document, price) in found.items():
        if prices.setdefault(name, price) != price:
            reason = f"{priced_by[name]} and {provider} price this model apart, and a call names no provider"
            raise _refusal(document, _place(provider, name), f"{reason}; give it one price.")
        priced_by.setdefault(name, provider)
    return prices


def _written_to_a_cache(document: CatalogDocument, places: Sequence[tuple[str, str]]) -> list[str]:
    if not places:
        return []
    others = f" and {len(places) - 1} more" if len(places) > 1 else ""
    reason = "cacheWrite is not used: tokens that are written to a cache are billed as input, which is cheaper."
    return [str(_refusal(document, _place(*places[0]) + others, reason))]


def _rate(value: Any) -> Decimal:
    if not isinstance(value, str) or not _RATE.fullmatch(value):
        raise ValueError('write dollars per million tokens as a string with at most six decimals, such as "2.50"')
    return Decimal(value)


Rate = Annotated[Decimal, BeforeValidator(_rate)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)


class _Rates(_Document):
    input: Rate | None = None
    output: Rate | None = None
    cache_read: Rate | None = None
    cached_input: Rate | None = None
    cache_write: Rate | None = None
    reasoning: Rate | None = None

    def model_post_init(self, context: Any) -> None:
        if None not in (self.cache_read, self.cached_input) and self.cache_read != self.cached_input:
            raise ValueError("cacheRead and cachedInput are the same rate; state one of them")

    def over(self, base: "_Rates") -> "_Rates":
        return base.model_copy(update=self.model_dump(exclude_none=True))

    @property
    def per_token(self) -> Rates:
        if self.input is None or self.output is None:
            raise ValueError("rates needs both input and output")
        if self.reasoning not in (None, self.output):
            raise ValueError("the rate of reasoning must be that of output: a gateway counts both as output")
        return Rates.per_million(self.input, self.output, self.cached_input if self.cache_read is None else self.cache_read)


class _Tier(_Document):
    context_over: int = Field(ge=0)
    rates: _Rates


class _Model(_Document):
    rates: _Rates
    tiers: tuple[_Tier, ...] = Field((), strict=False)

    def model_post_init(self, context: Any) -> None:
        if len({tier.context_over for tier in self.tiers}) < len(self.tiers):
            raise ValueError("two tiers have the same contextOver")
        _ = self.price  # so that rates which make no price are refused here, at their place

    @property
    def price(self) -> Price:
        tiers = sorted((tier.context_over, tier.rates.over(self.rates).per_token) for tier in self.tiers)
        return Price(self.rates.per_token, tuple(tiers))

    @property
    def bills_writes_as_less(self) -> bool:
        return self.rates.cache_write is not None and self.rates.input is not None and self.rates.cache_write > self.rates.input


class _Provider(_Document):
    models: dict[str, _Model]

    def model_post_init(self, context: Any) -> None:
        if "" in self.models:
            raise ValueError("a model needs a name")


class _Catalog(_Document):
    providers: dict[str, _Provider]


def _models(document: CatalogDocument) -> dict[tuple[str, str], _Model]:
    try:
        catalog = _Catalog.model_validate(json.loads(document.text, object_pairs_hook=_one_value_per_name))
    except ValidationError as error:
        problem = error.errors()[0]
        raise _refusal(document, place_in(problem["loc"]), problem["msg"].removeprefix("Value error, ")) from None
    except (ValueError, RecursionError) as error:
        raise _refusal(document, "", f"is not JSON: {error}") from None
    return {(id_, name): model for id_, provider in catalog.providers.items() for name, model in provider.models.items()}


def _one_value_per_name(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    name, count = Counter(name for name, _ in pairs).most_common(1)[0] if pairs else ("", 0)
    if count > 1:
        raise ValueError(f"the name {name!r} stands twice in one object")
    return dict(pairs)


def _place(provider: str, model: str) -> str:
    return place_in(("providers", provider, "models", model))


def _refusal(document: CatalogDocument, place: str, reason: str) -> PolicyError:
    return PolicyError(document.file, ": ".join(part for part in (document.place, place) if part), reason)
