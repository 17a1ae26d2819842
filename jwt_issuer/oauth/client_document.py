"""The clients' file as a person writes it: the fields of a client, and what each may say.

clients:
  - client_id: ci
    secret_hash: "scrypt$ln=14,r=8,p=1$..."
    sub: alice
    scopes: [llm]
    audiences: [mock-llm]
    ttl: 600
    claims: {tier: gold, tenant_id: acme}
"""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from jwt_issuer.oauth.client_secrets import SecretHash
from jwt_issuer.tokens import OWN_CLAIMS
from service.yaml_files import place_in

Claim = str | int | float | bool | list[str]

# Unreserved in RFC 3986: many client libraries leave out the encoding that RFC 6749, 2.3.1 asks for, and these need none.
_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")

# RFC 6749, 3.3.
_TOKEN = re.compile(r"[!#-\[\]-~]{1,256}")


def _checked_id(client_id: str) -> str:
    if not _CLIENT_ID.fullmatch(client_id):
        raise ValueError("write up to 128 letters, digits, '.', '_', '~' and '-', and begin with a letter or digit")
    return client_id


def _checked_token(token: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise ValueError("write up to 256 visible ASCII characters, without a quote, a backslash or a space")
    return token


def _checked_hash(text: object) -> SecretHash:
    if not isinstance(text, str):
        raise ValueError("text is expected: write the hash that `jwt-issuer secret` prints")
    return SecretHash.parse(text)


def _checked_claims(claims: object) -> Mapping[str, Claim]:
    if not isinstance(claims, dict):
        raise ValueError("a mapping is expected: write {name: value}")
    for name, value in claims.items():
        if not isinstance(name, str) or not name:
            raise ValueError("a claim has a name that is not text: put it into quotes")
        if name in OWN_CLAIMS:
            raise ValueError(f"the issuer sets {name!r} itself: leave it out")
        if not _is_claim(value):
            raise ValueError(f"{name[:80]!r} must be text, a number, true, false or a list of texts: write one of these")
    return claims


def _is_claim(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    if isinstance(value, int | float):
        # JSON has no word for infinity, and its readers round whole numbers from here on.
        return abs(value) < 2**53
    return isinstance(value, str)


Token = Annotated[str, Field(strict=True), AfterValidator(_checked_token)]


class ClientEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: Annotated[str, Field(strict=True), AfterValidator(_checked_id)]
    secret_hash: Annotated[SecretHash, PlainValidator(_checked_hash)]
    sub: Annotated[str, Field(strict=True)] | None = None
    scopes: tuple[Token, ...] = ()
    audiences: tuple[Token, ...] = ()
    ttl: Annotated[int, Field(strict=True, ge=1)] | None = None
    claims: Annotated[Mapping[str, Claim], PlainValidator(_checked_claims)] = {}


class ClientDocument(BaseModel):
    """An empty list is a list too: whoever takes out the last client wants nobody to get in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clients: tuple[ClientEntry, ...]


def place_and_reason(error: ValidationError) -> str:
    """Of its first problem, with the remedy, and without what stands there."""
    problem = error.errors()[0]
    reason = {
        "missing": "this field is missing: add it",
        "extra_forbidden": "this field is unknown: take it out",
        "model_type": "a mapping is expected: write field: value",
        "tuple_type": "a list is expected: put it into [ ]",
        "string_type": "text is expected: put it into quotes",
        "int_type": "a whole number is expected: write seconds, without quotes",
        "greater_than_equal": "it is below 1: write more",
    }.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    return f"{place_in(problem['loc']) or 'the document'}: {reason}"
