"""What a call will probably use: running means of what calls like it have used.

A mean weighs its newest value with a fifth, so that it follows a change within a few calls. Without a value of its own, a
subject is expected to use what others use of that model, and a model of which nothing is known, the first guess.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from budgets.budget import Usage

WEIGHT = 0.2
"""Of the newest value in a mean."""

MOST_TOKENS = 1_000_000
"""A greater `max_tokens` counts as none: no model answers with so many, and a caller who hangs up is charged for them."""

LONGEST_MODEL = 200
"""Characters by which models are told apart. Callers choose the names."""

_INPUT_SHARE = 4
"""One token in so many is taken for input, where nobody says which are."""

_Key = tuple[frozenset[tuple[str, str]] | None, str]


@dataclass
class _Means:
    input: float
    output: float

    def learn(self, usage: Usage) -> None:
        self.input += (usage.input - self.input) * WEIGHT
        self.output += (usage.output - self.output) * WEIGHT


class Estimates:
    """It remembers `most` subjects and models, and forgets those first that it has not met for longest."""

    def __init__(self, first: int, most: int = 10_000) -> None:
        """`first` is the first guess, in tokens."""
        self._first = _split(Usage(unsplit=first))
        self._most = most
        self._means: OrderedDict[_Key, _Means] = OrderedDict()

    def __len__(self) -> int:
        return len(self._means)

    def estimate(self, dimensions: Mapping[str, str], max_tokens: int | None = None) -> Usage:
        """In whole tokens, rounded up. A caller's `max_tokens` stands for the output, unless it is no sensible number."""
        own, of_model = _keys(dimensions)
        means = self._recalled(own) or self._recalled(of_model) or self._first
        output = max_tokens if max_tokens is not None and _is_sensible(max_tokens) else ceil(means.output)
        return Usage(ceil(means.input), output)

    def unread(self, estimate: Usage, max_tokens: int | None = None) -> Usage:
        """What to take for used where nobody read the usage: the estimate, and the first guess at least.

        Else a caller who lets a few small answers finish could hang up on large ones for nearly nothing.
        """
        least_input, least_output = ceil(self._first.input), ceil(self._first.output)
        if _is_sensible(max_tokens):  # no answer is longer
            return Usage(max(estimate.input, least_input), estimate.output)
        return Usage(max(estimate.input, least_input), max(estimate.output, least_output))

    def learn(self, dimensions: Mapping[str, str], usage: Usage) -> None:
        used = _split(usage)
        for key in _keys(dimensions):
            means = self._recalled(key)
            if means:
                means.learn(used)
            else:
                self._means[key] = _Means(used.input, used.output)
        while len(self._means) > self._most:
            self._means.popitem(last=False)

    def _recalled(self, key: _Key) -> _Means | None:
        means = self._means.get(key)
        if means:
            self._means.move_to_end(key)
        return means


def _keys(dimensions: Mapping[str, str]) -> tuple[_Key, _Key]:
    """For this subject and model, and for the model whoever calls it."""
    model = dimensions.get("model", "")[:LONGEST_MODEL]
    return (frozenset(each for each in dimensions.items() if each[0] != "model"), model), (None, model)


def _is_sensible(max_tokens: int | None) -> bool:
    return max_tokens is not None and 0 < max_tokens <= MOST_TOKENS


def _split(usage: Usage) -> Usage:
    """Tokens of unknown kind are a part input and three parts output, so that they have a price."""
    unsplit_input = usage.unsplit // _INPUT_SHARE
    return Usage(usage.input + unsplit_input, usage.output + usage.unsplit - unsplit_input)
