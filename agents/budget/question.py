"""Whether a message asks for nothing but the budget. Then no LLM is needed, and no token is spent on the answer.

The whole message must be such a question: one about, say, the tokens of a parser is for the LLM.
"""

import re

LONGEST = 200
"""Characters of such a question."""

_WHOSE = r"(?:(?:my|our|the|your|this|the team'?s|my team'?s|our team'?s) )?"
_WHAT = r"(?:(?:llm|token|team|remaining) )*(?:budget|tokens|balance)"
_QUALIFIED = r"(?:(?:llm|token|remaining) )+(?:budget|balance)"
_LEFT = r"(?:left|remaining|available)"

_OWNED = rf"(?:is|are|do (?:i|we|you) (?:still )?have|have (?:i|we|you)(?: got)?) (?:still )?{_LEFT}"

_QUESTION = re.compile(
    "|".join(
        (
            r"/?budget",
            rf"(?:please )?(?:show|tell|give)(?: me)? {_WHOSE}{_QUALIFIED}",
            rf"(?:and )?what(?: is|'s) {_WHOSE}{_QUALIFIED}(?: now)?",
            rf"(?:and )?what(?: is|'s) (?:still )?{_LEFT} (?:of|in|from) {_WHOSE}{_WHAT}",
            rf"(?:and )?how (?:much|many) (?:of )?{_WHOSE}{_WHAT} {_OWNED}(?: now)?",
            rf"(?:and )?how (?:much|many) (?:of )?{_WHOSE}{_WHAT} remains?",
            rf"(?:and )?how (?:much|many) (?:is|are) (?:still )?{_LEFT} (?:of|in|from) {_WHOSE}{_WHAT}",
        )
    )
)


def asks_for_budget(text: str) -> bool:
    if len(text) > LONGEST:
        return False
    words = " ".join(text.lower().replace("’", "'").split())
    return _QUESTION.fullmatch(words.rstrip("?.! ")) is not None
