"""The headers that a request may have, as the OpenAPI document describes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from mock_llm.faults import HEADER as FAULT_HEADER
from mock_llm.ledger.ledger import TEAM_HEADER, USER_HEADER
from mock_llm.request_ids import HEADER as REQUEST_ID_HEADER
from mock_llm.usage import CACHED_HEADER, COMPLETION_HEADER, MOST_TOKENS, PROMPT_HEADER


def _header(name: bytes, schema: Mapping[str, Any], description: str) -> Mapping[str, Any]:
    return {"name": name.decode(), "in": "header", "required": False, "schema": schema, "description": description}


_TOKENS = {"type": "integer", "minimum": 0, "maximum": MOST_TOKENS}

HEADERS: Sequence[Mapping[str, Any]] = (
    _header(PROMPT_HEADER, _TOKENS, "The prompt's tokens in the usage of this answer."),
    _header(COMPLETION_HEADER, _TOKENS, "The completion's, of all choices together; max_tokens still caps them."),
    _header(CACHED_HEADER, _TOKENS, "How many of the prompt's tokens were cached."),
    _header(
        FAULT_HEADER,
        {"type": "string", "pattern": r"^(rate_limited|server_error|overloaded)(\*[0-9]{1,4})?$"},
        "A fault in place of the answer. Those that break the connection or the body are not listed here.",
    ),
    _header(TEAM_HEADER, {"type": "string"}, "The caller's team in the ledger."),
    _header(USER_HEADER, {"type": "string"}, "The caller's user in the ledger."),
    _header(REQUEST_ID_HEADER, {"type": "string"}, "The request's id in the journal and in the answer."),
)
"""That every `Endpoint` reads."""
