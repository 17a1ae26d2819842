"""What a call costs: the policy's own catalog laid over the public prices.

A model is known under the names that either of them spells out, and under such a name followed by a date, as providers name
the versions of a model: `gpt-4o` stands for `gpt-4o-2024-08-06` too, unless that version has a price of its own. Any other name
has no price, so that a misspelt one is noticed and not billed as something like it.
"""

import re
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from budgets.budget import PICO, Usage
from budgets.documents.catalogs import CatalogDocument
from budgets.pricing import public as public_prices
from budgets.pricing.catalog import read_catalogs
from budgets.pricing.rates import Price

LONGEST_NAME = 200
"""Characters. Callers choose the names, and names that were asked for are kept a while."""

_DATE = re.compile(r"[-@]20\d\d(-?)(0[1-9]|1[0-2])\1(0[1-9]|[12]\d|3[01])\Z")


class Prices:
    """A catalog has one price for a model, whatever the provider is called; among public prices the provider decides."""

    def __init__(self, catalogs: Iterable[CatalogDocument] = (), now: Callable[[], float] = time.time) -> None:
        """Raises PolicyError."""
        catalog = read_catalogs(catalogs)
        self.warnings = catalog.warnings
        """What the catalogs state and no bill can follow, one sentence each."""
        self._catalog = catalog.prices
        self._now = now
        self._found = lru_cache(maxsize=1000)(self._find)

    def cost(self, model: str, usage: Usage, provider: str | None = None) -> int | None:
        """In picodollars, rounded up to a whole one. None if the model has no price."""
        price = self.of(model, provider)
        return None if price is None else price.of(usage)

    def of(self, model: str, provider: str | None = None) -> Price | None:
        """A public price that changes holds a minute late at most."""
        if len(model) > LONGEST_NAME or len(provider or "") > LONGEST_NAME:
            return None
        return self._found(model, provider, int(self._now() // 60))

    def _find(self, model: str, provider: str | None, minute: int) -> Price | None:
        if price := self._catalog.get(model):
            return price
        base = _without_date(model)
        listed = public_prices.find(model, provider)
        own_price = listed is not None and listed.id == model
        if not own_price and (price := self._catalog.get(base)):
            return price
        listed = listed or public_prices.find(base, provider)
        return public_prices.price_of(listed, datetime.fromtimestamp(minute * 60, UTC)) if listed else None


def usd(picodollars: int) -> str:
    """Dollars in decimal digits, exactly and without trailing zeros, such as `0.0068825`."""
    return f"{Decimal(picodollars) / PICO:f}"


def _without_date(model: str) -> str:
    """A name with two dates is no version of anything."""
    base = _DATE.sub("", model)
    return model if _DATE.search(base) else base
