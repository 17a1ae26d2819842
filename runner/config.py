"""The runner's environment: what the user may bring along in place of what the system brings."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.environment import ProgramFile, StoreUrl

PROJECT = Path(__file__).parents[1]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    budgets_store: StoreUrl | None = Field(
        None, description="It names a Redis or Valkey of your own, for example redis://127.0.0.1:6379."
    )
    envoy_bin: ProgramFile | None = Field(
        None, description="It names an Envoy of your own, in place of the one from the wheel."
    )
    policy: Path = Field(
        PROJECT / "policy" / "budgets",
        validation_alias="BUDGETS_POLICY",
        description="It names the file or the folder with the budgets.",
    )
    domain: str = Field(
        "agentic-budgets",
        min_length=1,
        validation_alias="BUDGETS_DOMAIN",
        description="It is the rate-limit domain: of the gateway, of the budget service, and of plain ratelimit files.",
    )
    teams: Path = Field(
        PROJECT / "policy" / "teams.yaml", validation_alias="TEAMS", description="It names the file with the team list."
    )
