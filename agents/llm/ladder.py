"""Spending less as the budget runs low: an answer that fits, then a brief one, then a cheaper model.

Only a courtesy to the rest of the team, and off by default: what may be spent is for the gateway alone to decide.
"""

from collections.abc import Sequence
from typing import Any

from agents.outcomes import Meter
from agents.run import Run

FIT = 4096
"""Tokens left from which on an answer is bounded by them. A bound far above what a model can write is refused by some."""

BRIEF = 0.2
CHEAP = 0.1
"""Parts of the limit that are left when the agent asks for brevity, and when it turns to the cheaper model."""

ASK_FOR_BREVITY = "The budget is nearly spent: answer in a few sentences."


class Ladder:
    def __init__(self, cheaper_model: str | None = None) -> None:
        self._cheaper_model = cheaper_model

    def fit(self, request: dict[str, Any], meter: Meter, run: Run) -> dict[str, Any]:
        """The request as what remains suggests it; the run keeps what was changed, in words."""
        remaining, limit = meter.remaining, meter.limit
        if remaining is None or not limit:
            return request
        fitted = dict(request)
        if meter.unit == "tokens" and 0 < remaining <= FIT:
            fitted["max_tokens"] = remaining
            _note(run, f"max_tokens {remaining}")
        if remaining <= BRIEF * limit:
            fitted["messages"] = _briefly(request["messages"])
            _note(run, "asked for brevity")
        if remaining <= CHEAP * limit and self._cheaper_model:
            fitted["model"] = self._cheaper_model
            _note(run, f"model {self._cheaper_model}")
        return fitted


def _briefly(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Said in the system's words, of which some models take one message only, the first."""
    if messages and messages[0].get("role") == "system":
        first, *rest = messages
        return [{**first, "content": f"{first['content']}\n{ASK_FOR_BREVITY}"}, *rest]
    return [{"role": "system", "content": ASK_FOR_BREVITY}, *messages]


def _note(run: Run, saving: str) -> None:
    if saving not in run.savings:
        run.savings.append(saving)
