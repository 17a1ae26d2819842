"""The issuer's environment."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

LONGEST_TTL = 30 * 24 * 3600


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="JWT_ISSUER_", frozen=True)

    host: str = Field(default="127.0.0.1", description="It is the address to listen on, such as 127.0.0.1 or 0.0.0.0.")
    port: int = Field(default=8202, ge=1, le=65535, description="It is the TCP port to listen on, from 1 to 65535.")
    state: Path = Field(description="It is the folder that keeps the signing key and the tokens, such as .state/issuer.")
    teams: Path = Field(description="It is the YAML file that lists the teams and users, such as policy/teams.yaml.")
    issuer: str = Field(
        default="agentic-budgets", min_length=1, description="It is the `iss` of every token, which the gateway checks."
    )
    audience: str = Field(
        default="mock-llm", min_length=1, description="It is the `aud` of every token, which the gateway checks."
    )
    ttl: int = Field(
        default=24 * 3600,
        ge=1,
        le=LONGEST_TTL,
        description=f"It is how long a token is valid, in seconds, up to {LONGEST_TTL} (30 days).",
    )
