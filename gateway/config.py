"""The gateway's environment."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.asks import RESERVED
from service.environment import ProgramFile

ALWAYS = ("group", "tier", "tenant_id")
"""The dimensions of every gateway, beside those that have a meaning of their own."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("an address is written host:port")
    return text


def _dimensions(text: str) -> str:
    names = _split(text)
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is not a dimension: write lower-case letters, digits and '_', a letter first")
        if name in RESERVED:
            raise ValueError(f"{name!r} has a meaning of its own; leave it out")
        if name in ALWAYS:
            raise ValueError(f"{name!r} is always there; leave it out")
        if names.count(name) > 1:
            raise ValueError(f"{name!r} stands there twice")
    return text


def _split(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


Address = Annotated[str, AfterValidator(_address)]
Dimensions = Annotated[str, AfterValidator(_dimensions)]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="GATEWAY_", env_ignore_empty=True, frozen=True)

    host: str = Field("127.0.0.1", description="The address that the gateway listens on.")
    port: int = Field(8090, ge=1, le=65535, description="The port that agents call.")
    admin_port: int = Field(8091, ge=1, le=65535, description="Envoy's own port, for its statistics.")
    llm: Address = Field("127.0.0.1:8201", description="Where the LLM listens.")
    jwt_issuer: Address = Field("127.0.0.1:8202", description="Where the JWT issuer serves its keys.")
    budgets: Address = Field("127.0.0.1:8083", description="Where the budget service serves the rate-limit API.")
    balance: Address = Field("127.0.0.1:8086", description="Where the budget service answers callers.")
    dimensions: Dimensions | None = Field(
        None,
        description=f"It adds what budgets may go by beside team, user, virtual key, model, {', '.join(ALWAYS)}: names, "
        "separated by commas, of claims of a token and of fields of a virtual key's metadata.",
    )
    issuer: str = Field("agentic-budgets", description="The `iss` that a token must have.")
    audience: str = Field("mock-llm", description="The `aud` that a token must have.")
    jwks_cache: int = Field(
        60, ge=1, description="Whole seconds that the issuer's keys are kept before they are fetched again."
    )
    domain: str = Field("agentic-budgets", description="The rate-limit domain; the budget service must serve the same.")
    timeout: int = Field(300, ge=1, description="Whole seconds that the LLM may take for an answer.")
    max_body: int = Field(8 * 1024 * 1024, ge=65536, description="Bytes that a request or a JSON answer may have.")
    envoy_bin: ProgramFile | None = Field(
        None, validation_alias="ENVOY_BIN", description="It names the Envoy to run in place of the one from the wheel."
    )

    @property
    def dimension_names(self) -> tuple[str, ...]:
        """Those that are always there, then those that the environment adds."""
        return (*ALWAYS, *(_split(self.dimensions) if self.dimensions else ()))
