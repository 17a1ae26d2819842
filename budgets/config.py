"""The budget service's environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.environment import StoreUrl


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="BUDGETS_", env_ignore_empty=True, hide_input_in_errors=True, frozen=True)

    store: StoreUrl = Field(
        description="It says where the counters live, for example redis://127.0.0.1:6379 (Redis or Valkey). "
        "`make up` starts a Valkey of its own."
    )
    policy: Path = Field(description="It names the RateLimitConfig file with the budgets.")
    in_force: Path | None = Field(
        None,
        description="It names a file that this service writes: the policy in force, which a restart goes on with "
        "when the policy file has become wrong.",
    )
    host: str = Field("127.0.0.1", description="The address that both ports listen on.")
    grpc_port: int = Field(8083, ge=1, le=65535, description="The port of the rate-limit API that the gateway calls.")
    http_port: int = Field(8084, ge=1, le=65535, description="The port of health, status and reset, for operators only.")
    domain: str = Field("agentic-budgets", min_length=1, description="The rate-limit domain that the gateway sends.")
    unmatched: Literal["refuse", "admit"] = Field(
        "refuse", description="What happens to a caller that no budget covers: refuse, or admit without any limit."
    )
    store_timeout: float = Field(
        0.5, gt=0, le=5, description="Seconds that one try at the store may take; a check has two before it is refused."
    )
    charge_patience: float = Field(
        30, ge=0, le=600, description="Seconds for which a charge is retried while the store is away."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="The least level that is logged.")
