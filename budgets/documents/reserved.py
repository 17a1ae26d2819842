"""Keys of descriptor entries that the gateway and the budget service keep for themselves. No policy may use them."""

DESCRIBES = "describes"
"""With the value `call`: the descriptor's other entries are the dimensions of the call."""

REQUEST_ID = "request_id"
"""Ties a charge to its check."""

MAX_TOKENS = "max_tokens"
"""On a check: the most tokens that the caller lets the model answer with."""

USAGE = "usage"
"""On a charge: which figure the hits are, `input`, `output`, `cached` or `micro_usd`."""

RESPONSE_STATUS = "response_status"
"""On a charge: the hits are the HTTP status with which the call ended."""

RESERVED = frozenset({DESCRIBES, REQUEST_ID, MAX_TOKENS, USAGE, RESPONSE_STATUS})
