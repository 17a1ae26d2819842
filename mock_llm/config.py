"""The mock's environment."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="MOCK_LLM_", frozen=True)

    host: str = Field(default="127.0.0.1", description="It is the address to listen on, such as 127.0.0.1 or 0.0.0.0.")
    port: int = Field(default=8201, ge=1, le=65535, description="It is the TCP port to listen on, from 1 to 65535.")
    seed: int | None = Field(
        default=None, description="It is a whole number that makes every run answer alike; leave it unset for random answers."
    )
    max_body: int = Field(
        default=1 << 20, ge=1, le=1 << 30, description="It is the largest request body accepted, in bytes, up to 1 GiB."
    )
