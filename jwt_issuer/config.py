"""The issuer's environment."""

import re
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

LONGEST_TTL = 30 * 24 * 3600
LONGEST_AGE = 24 * 3600
MOST_KEYS = 16
"""That may be in the key set at once."""
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_URL = re.compile(r"https?://[^\s?#/]+(/[^\s?#]*)?")


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="JWT_ISSUER_", env_ignore_empty=True, frozen=True)

    host: str = Field(default="127.0.0.1", description="It is the address to listen on, such as 127.0.0.1 or 0.0.0.0.")
    port: int = Field(default=8202, ge=1, le=65535, description="It is the TCP port to listen on, from 1 to 65535.")
    namespace: str | None = Field(
        default=None,
        description="It is the issuer's own namespace in a cluster, where Secrets take the place of JWT_ISSUER_STATE.",
    )
    agents_namespace: str = Field(
        default="kagent",
        description="It is the namespace in which the Secrets jwt-<sub> are kept, where JWT_ISSUER_NAMESPACE is set.",
    )
    identity: str | None = Field(
        default=None,
        description="It tells this replica from others, where JWT_ISSUER_NAMESPACE is set; else the host's name does.",
    )
    state: Path | None = Field(
        default=None,
        validate_default=True,
        description="It is the folder that keeps the signing keys and the tokens, such as .state/issuer; a cluster needs none.",
    )
    teams: Path = Field(description="It is the YAML file that lists the teams and users, such as policy/teams.yaml.")
    clients: Path | None = Field(
        default=None,
        description="It is the YAML file that lists who may ask POST /token; `jwt-issuer secret` makes their secrets. "
        "Without it nobody may.",
    )
    issuer: str = Field(
        default="agentic-budgets",
        description="It is the `iss` of every token, which the gateway checks; a URL suits strict clients.",
    )
    url: str | None = Field(
        default=None,
        description="It is the address that the discovery document names; without it, the one at which the caller asks.",
    )
    audience: str = Field(default="mock-llm", description="It is the `aud` of every token, which the gateway checks.")
    ttl: int = Field(
        default=24 * 3600,
        ge=1,
        le=LONGEST_TTL,
        description=f"It is how long the token of a team or user is valid, in seconds, up to {LONGEST_TTL} (30 days).",
    )
    longest_ttl: int = Field(
        default=24 * 3600,
        ge=1,
        le=LONGEST_TTL,
        description="It is the longest that a client's own ttl, or `mint --ttl`, may be, in seconds.",
    )
    client_ttl: int = Field(
        default=900, ge=1, le=LONGEST_TTL, description="It is how long a token from POST /token is valid, in seconds."
    )
    max_age: int = Field(
        default=300, ge=1, le=LONGEST_AGE, description="It is how long a verifier may keep the key set, in seconds."
    )
    overlap: int = Field(
        default=1200,
        ge=1,
        le=LONGEST_TTL,
        description="It is how long the next key is published before it signs, in seconds; longer than every cache on the way.",
    )
    rotate_every: int | None = Field(
        default=None,
        ge=1,
        description="It is how long a key signs before the issuer rotates by itself, in seconds; unset for never.",
    )

    @field_validator("state")
    @classmethod
    def _a_place_for_keys(cls, state: Path | None, info: ValidationInfo) -> Path | None:
        if state is None and info.data.get("namespace") is None:
            raise PydanticCustomError("missing", "Field required")
        return state

    @field_validator("namespace", "agents_namespace")
    @classmethod
    def _a_namespace(cls, name: str | None) -> str | None:
        if name is not None and not _LABEL.fullmatch(name):
            raise ValueError("a namespace has up to 63 lower-case letters, digits and '-'")
        return name

    @field_validator("url")
    @classmethod
    def _an_address(cls, url: str | None) -> str | None:
        if url is not None and not _URL.fullmatch(url):
            raise ValueError("it is not an address such as https://tokens.example.com, without a query")
        return url and url.rstrip("/")

    @field_validator("client_ttl")
    @classmethod
    def _no_longer_than_the_longest(cls, ttl: int, info: ValidationInfo) -> int:
        longest = info.data.get("longest_ttl", LONGEST_TTL)
        if ttl > longest:
            raise ValueError(f"{ttl} s is longer than JWT_ISSUER_LONGEST_TTL, {longest} s")
        return ttl

    @field_validator("overlap")
    @classmethod
    def _longer_than_the_cache(cls, overlap: int, info: ValidationInfo) -> int:
        max_age = info.data.get("max_age", 0)
        if overlap <= max_age:
            raise ValueError(f"{overlap} s is not longer than JWT_ISSUER_MAX_AGE, {max_age} s")
        return overlap

    @field_validator("rotate_every")
    @classmethod
    def _longer_than_the_overlap(cls, every: int | None, info: ValidationInfo) -> int | None:
        overlap = info.data.get("overlap", 0)
        if every is not None and every <= overlap:
            raise ValueError(f"{every} s is not longer than JWT_ISSUER_OVERLAP, {overlap} s")
        longest = max(info.data.get("ttl", 0), info.data.get("longest_ttl", 0))
        if every is not None and every * MOST_KEYS < longest:
            raise ValueError(f"with tokens of {longest} s more than {MOST_KEYS} keys would be published at once")
        return every
