"""Whose agent this is, read from the claims of its own token.

The signature is not checked here: the gateway checks it on every call, and a forged team would only lie to itself.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import jwt

COMPACT_JWS = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)
"""RFC 7515, section 7.1. It also keeps out line breaks, which a header could not carry."""


@dataclass(frozen=True)
class Identity:
    team: str
    expires_at: datetime | None


def read_identity(token: str) -> Identity:
    """The claims `team` and `exp` (RFC 7519). Raises ValueError, in words that do not quote the token."""
    claims = _claims(token)
    team = claims.get("team")
    if not isinstance(team, str) or not team.strip():
        raise ValueError("its claims name no team: `team` must be a string that is not empty")
    return Identity(team=team, expires_at=_expiry(claims.get("exp")))


def _claims(token: str) -> dict[str, object]:
    if not COMPACT_JWS.fullmatch(token):
        raise ValueError("it is not a JSON Web Token, which has three parts with dots between them")
    try:
        return dict(jwt.decode(token, options={"verify_signature": False}))
    except jwt.InvalidTokenError:
        raise ValueError("it has the three parts of a JSON Web Token, but they cannot be decoded") from None


def _expiry(exp: object) -> datetime | None:
    if exp is None:
        return None
    try:
        return datetime.fromtimestamp(float(str(exp)), UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError("its claim `exp` is not a time in seconds") from None
