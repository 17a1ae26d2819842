"""The gateway's environment."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.environment import ProgramFile


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("an address is written host:port")
    return text


Address = Annotated[str, AfterValidator(_address)]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="GATEWAY_", env_ignore_empty=True, frozen=True)

    policy: Path = Field(description="It names the RateLimitConfig file whose rateLimits say what to ask the budget service.")
    host: str = Field("127.0.0.1", description="The address that the gateway listens on.")
    port: int = Field(8090, ge=1, le=65535, description="The port that agents call.")
    admin_port: int = Field(8091, ge=1, le=65535, description="Envoy's own port, for its statistics.")
    llm: Address = Field("127.0.0.1:8201", description="Where the LLM listens.")
    jwt_issuer: Address = Field("127.0.0.1:8202", description="Where the JWT issuer serves its keys.")
    budgets: Address = Field("127.0.0.1:8083", description="Where the budget service serves the rate-limit API.")
    issuer: str = Field("agentic-budgets", description="The `iss` that a token must have.")
    audience: str = Field("mock-llm", description="The `aud` that a token must have.")
    domain: str = Field("agentic-budgets", description="The rate-limit domain; the budget service must serve the same.")
    timeout: int = Field(300, ge=1, description="Whole seconds that the LLM may take for an answer.")
    max_body: int = Field(8 * 1024 * 1024, ge=65536, description="Bytes that a request or a JSON answer may have.")
    envoy_bin: ProgramFile | None = Field(
        None, validation_alias="ENVOY_BIN", description="It names the Envoy to run in place of the one from the wheel."
    )
