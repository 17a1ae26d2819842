"""The budget service's environment."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.environment import StoreUrl


def _names(text: object) -> object:
    return tuple(name.strip() for name in text.split(",") if name.strip()) if isinstance(text, str) else text


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
"""Text with commas between the names."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="BUDGETS_", env_ignore_empty=True, hide_input_in_errors=True, frozen=True)

    store: StoreUrl = Field(
        description="It says where the counters live, for example redis://127.0.0.1:6379 (Redis or Valkey). "
        "`make up` starts a Valkey of its own."
    )
    policy: Path = Field(description="It names the file or the folder with the budgets, the prices and the virtual keys.")
    in_force: Path | None = Field(
        None,
        description="It names a folder that this service writes: the documents in force, which a restart goes on with "
        "when the policy has become wrong.",
    )
    host: str = Field("127.0.0.1", description="The address that all three ports listen on.")
    grpc_port: int = Field(8083, ge=1, le=65535, description="The port of the rate-limit API that the gateway calls.")
    http_port: int = Field(
        8084, ge=1, le=65535, description="The port of health, metrics, status, reset and raise, for operators only."
    )
    balance_port: int = Field(
        8086, ge=1, le=65535, description="The port of GET /v1/budget, which only the gateway may reach: it says who calls."
    )
    domain: str = Field(
        "agentic-budgets",
        pattern=r"^[^{}\s]+$",
        description="The rate-limit domain that the gateway sends; without braces, which tell a cluster where keys belong.",
    )
    unmatched: Literal["refuse", "admit"] = Field(
        "refuse", description="What happens to a caller that no budget covers: refuse, or admit without any limit."
    )
    fail_open: bool = Field(
        False, description="Whether calls go through unchecked, each with a line in the log, while the store is away."
    )
    burst: int = Field(
        10,
        ge=1,
        le=10_000,
        description="Calls that an idle budget admits at once: no reservation takes more than this part of a limit.",
    )
    first_estimate: int = Field(
        1000, ge=1, le=1_000_000, description="Tokens that are reserved for a call of which nothing is known yet."
    )
    reservation_timeout: float = Field(
        330,
        gt=0,
        le=900,
        description="Seconds after which a call whose charge never came is charged its estimate; "
        "longer than the gateway waits for an answer.",
    )
    store_timeout: float = Field(
        0.5, gt=0, le=5, description="Seconds that one try at the store may take; a check has two before it is refused."
    )
    charge_patience: float = Field(
        30, ge=0, le=600, description="Seconds for which a charge is retried while the store is away."
    )
    models: Names = Field(
        (), description="The models that callers will ask for, with commas between; those without a price are listed at start."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="The least level that is logged.")

    @field_validator("in_force")
    @classmethod
    def _outside_of_the_policy(cls, in_force: Path | None, info: ValidationInfo) -> Path | None:
        """Inside it the copy would be read as policy, and be copied into itself."""
        policy = info.data.get("policy")
        if in_force and policy and in_force.resolve().is_relative_to(policy.resolve()):
            raise ValueError(f"{in_force} lies in the policy itself, {policy}")
        return in_force
