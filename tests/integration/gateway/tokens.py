"""Tokens that the issuer never mints, made with its own key or with another one."""

import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from jwt_issuer.folder import KeyFolder


def issuers_key(folder: Path) -> RSAPrivateKey:
    """The key that the running system's issuer signs with."""
    ring = KeyFolder(folder / "issuer").read()
    assert ring is not None
    return ring.current(time.time()).signing.private


def another_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def token(key: Any, kid: str, algorithm: str = "RS256", **claims: Any) -> str:
    """A token that is right but for the claims named; a claim of None is left out."""
    now = int(time.time())
    right = {"iss": "agentic-budgets", "aud": "mock-llm", "sub": "victim", "team": "victim", "iat": now, "exp": now + 60}
    wanted = {name: value for name, value in (right | claims).items() if value is not None}
    return jwt.encode(wanted, key, algorithm=algorithm, headers={"kid": kid})
