"""The environment of one agent. Two agents differ in nothing else."""

from typing import Annotated, Literal

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from agents.identity import Identity, read_identity

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - recognised here, not bound


def _token_of_a_team(token: SecretStr) -> SecretStr:
    stripped = token.get_secret_value().strip()
    read_identity(stripped)
    return SecretStr(stripped)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    llm_jwt: Annotated[SecretStr, AfterValidator(_token_of_a_team)] = Field(
        description="It is the agent's identity: a JSON Web Token with a `team` claim, without which the gateway refuses "
        "every call to the LLM; mount the token that the issuer minted for this agent's team."
    )
    llm_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:8090/v1/chat/completions"),
        description="It is the http(s) address of the gateway's chat completions, path included.",
    )
    llm_model: str = Field(default="mock-essay-7b", description="It is the model's name as the gateway knows it.")
    llm_timeout: float = Field(
        default=60, gt=0, le=3600, description="It is how many seconds one attempt at the LLM may take, more than 0."
    )
    host: str = Field(default="127.0.0.1", description="It is the address to listen on; in a pod, 0.0.0.0.")
    port: int = Field(default=8080, ge=1, le=65535, description="It is the port to listen on; kagent calls 8080.")
    kagent_name: str | None = Field(default=None, description="It is the agent's name; kagent sets it.")
    kagent_namespace: str | None = Field(default=None, description="It is the agent's namespace; kagent sets it.")
    agent_description: str = Field(
        default="Answers its team's questions, within its team's LLM token budget.",
        description="It is what the agent card says that the agent does.",
    )
    system_prompt: str = Field(
        default="You are a helpful assistant. Answer clearly and to the point.",
        description="It is what the LLM is told before every conversation.",
    )
    public_url: AnyHttpUrl | None = Field(
        default=None, description="It is the http(s) address in the agent card, where other agents reach this one."
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)] = Field(
        default="INFO", description="It is the least severe level that is logged: DEBUG, INFO, WARNING or ERROR."
    )

    @property
    def identity(self) -> Identity:
        return read_identity(self.llm_jwt.get_secret_value())

    @property
    def name(self) -> str:
        return self.kagent_name or f"{self.identity.team}-agent"

    @property
    def url(self) -> str:
        """Where callers reach the agent, without a slash at the end. Parents under kagent call the card's address."""
        if self.public_url:
            return str(self.public_url).rstrip("/")
        if self.kagent_name and self.kagent_namespace:
            return f"http://{self.kagent_name}.{self.kagent_namespace}:8080"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{ANY_ADDRESS.get(self.host, host)}:{self.port}"
