"""Rates: what the tokens of a model cost, and so what a call costs, exactly.

They are kept as whole numbers, a millionth of a millionth of a picodollar fine. So nothing is rounded but the sum, once and
up, to a whole picodollar; at rates with up to six decimals per million tokens it needs no rounding.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil

from budgets.budget import PICO, Usage

_FINE = 10**12
"""Parts of a picodollar in which a rate is kept."""


@dataclass(frozen=True)
class Rates:
    """What one token costs, in 10^-12 picodollars."""

    input: int
    cached: int
    output: int

    @classmethod
    def per_million(cls, rate_in: Decimal, rate_out: Decimal, cached: Decimal | None = None) -> "Rates":
        """From dollars per million tokens, as price lists state them. Cached input costs what input does, unless they say."""
        return cls(_per_token(rate_in), _per_token(rate_in if cached is None else cached), _per_token(rate_out))


@dataclass(frozen=True)
class Price:
    """The rates of a model."""

    rates: Rates
    tiers: tuple[tuple[int, Rates], ...] = ()
    """Ascending: above so many input tokens, these rates hold for every token of the call."""

    def of(self, usage: Usage) -> int:
        """What a call costs, in picodollars. Tokens of unknown kind are billed as the dearer of input and output."""
        rates = self._at(usage.input + usage.unsplit)
        cached = min(usage.cached, usage.input)
        cost = (usage.input - cached) * rates.input + cached * rates.cached + usage.output * rates.output
        if usage.unsplit:
            cost += usage.unsplit * max(rates.input, rates.output)
        return -(-cost // _FINE)

    def _at(self, context: int) -> Rates:
        rates = self.rates
        for over, dearer in self.tiers:
            if context > over:
                rates = dearer
        return rates


def _per_token(per_million: Decimal) -> int:
    return ceil(Fraction(per_million) * PICO * _FINE / 10**6)
