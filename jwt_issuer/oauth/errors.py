"""What a client is told that gets no token (RFC 6749, 5.2)."""

import math
from collections.abc import Mapping

from starlette.responses import JSONResponse

NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
"""RFC 6749, 5.1: of every answer, for each may be about a secret."""

CODES = (
    "invalid_request",
    "invalid_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "slow_down",
    "temporarily_unavailable",
)


class TokenError(Exception):
    """`code` is one of CODES. The description is a sentence for whoever runs the client, in the characters that RFC 6749
    grants it: visible ASCII and spaces, without quotes and backslashes."""

    def __init__(self, code: str, description: str, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.status = status
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        body = {"error": self.code, "error_description": self.description}
        return JSONResponse(body, self.status, NO_STORE | self.headers)


def invalid_request(description: str) -> TokenError:
    return TokenError("invalid_request", description)


def invalid_client() -> TokenError:
    """The same whatever is wrong: which half it was would help only someone who guesses."""
    return TokenError(
        "invalid_client",
        "The client is not known by this id and secret. Send both, in Basic authentication or in the form.",
        401,
        {"www-authenticate": 'Basic realm="jwt-issuer", charset="UTF-8"'},
    )


def body_too_large(most: int) -> TokenError:
    # What is left of the body is not read, so that the connection is of no further use.
    description = f"The body has more than {most} bytes. Send only the parameters of the grant."
    return TokenError("invalid_request", description, 413, {"connection": "close"})


def slow_down(wait: float) -> TokenError:
    description = "Too many attempts have failed. Check the secret, and try again after the time in Retry-After."
    return TokenError("slow_down", description, 429, {"retry-after": str(math.ceil(wait))})


def unavailable(seconds: int) -> TokenError:
    description = "No token can be issued at the moment. Try again after the time in Retry-After."
    return TokenError("temporarily_unavailable", description, 503, {"retry-after": str(seconds)})
