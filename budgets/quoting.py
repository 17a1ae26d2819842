"""Names in lines that people and programs read. Callers choose some of them, and none may look like a line of its own."""

import json
import re

_PLAIN = re.compile(r"[\w./:@*=+-]+", re.ASCII)


def logged_name(text: str | None) -> str:
    """A budget's id or a request's, quoted where it could be taken for more than one word: callers choose parts of both."""
    return text if text and _PLAIN.fullmatch(text) else json.dumps(text)
