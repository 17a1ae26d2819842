"""Tokens: who gets one, and what it claims (RFC 7519)."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from jwt_issuer.keys.keychain import Keychain
from service.teams import Team

OWN_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "scope", "client_id"})
"""What the issuer says itself, and nobody else may. So it is with `team`, where the team list gives it."""


@dataclass(frozen=True)
class Subject:
    """Someone a token speaks for: a team (its name is then its own team) or one of its users."""

    name: str
    team: str


def subjects_of(teams: Iterable[Team]) -> tuple[Subject, ...]:
    return tuple(Subject(name, team.name) for team in teams for name in (team.name, *team.users))


@dataclass(frozen=True)
class Mint:
    """Signs tokens for an audience. `ttl` is in seconds, `clock` tells them since 1970."""

    keychain: Keychain
    issuer: str
    audience: str
    ttl: int
    clock: Callable[[], float] = time.time

    def token(self, subject: Subject, more: Mapping[str, Any] | None = None) -> str:
        """With the claims iss, sub, team, aud, iat and exp, and `more`. Raises StoreError."""
        return self.keychain.sign({**(more or {}), **self._claims(subject)}, self.ttl)

    def expiry(self, token: str, subject: Subject) -> int | None:
        """When a token that this mint could have made expires, in seconds since 1970; None for any other."""
        unchecked = {"verify_exp": False, "verify_iat": False}
        try:
            claims = self.keychain.verify(token, issuer=self.issuer, audience=self.audience, options=unchecked)
        except jwt.InvalidTokenError:
            return None
        issued, expires = claims.pop("iat", None), claims.pop("exp", None)
        if claims != self._claims(subject) or not isinstance(issued, int) or not isinstance(expires, int):
            return None
        # One from the future was made before the clock was set back, and is not valid yet.
        return expires if expires - issued == self.ttl and issued <= self.clock() else None

    def is_fresh(self, token: str, subject: Subject) -> bool:
        """Good for the other half of its life."""
        expires = self.expiry(token, subject)
        return expires is not None and expires - self.clock() > self.ttl / 2

    def _claims(self, subject: Subject) -> dict[str, str]:
        return {"iss": self.issuer, "sub": subject.name, "team": subject.team, "aud": self.audience}
