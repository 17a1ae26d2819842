"""The environment of one agent. Two agents differ in nothing else."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, Field, SecretStr, ValidationInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from agents.identity import Identity, read_identity
from agents.peers.directory import Peer, parse_peers
from agents.token import Token, read_token

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - recognised here, not bound


def _token_of_a_team(token: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
    """Called for a variable that is not set, too. Where the file was refused, nothing more is to be said of the variable."""
    file = others.data.get("llm_jwt_file", "refused")
    if token is None:
        if file is None:
            raise PydanticCustomError("missing", "Field required")
        return None
    if isinstance(file, Path):
        raise ValueError("LLM_JWT_FILE is set too, and only one of them can say who the agent is: unset one")
    stripped = token.get_secret_value().strip()
    read_identity(stripped)
    return SecretStr(stripped)


def _file_with_a_token(file: Path | None) -> Path | None:
    if file:
        read_token(file)
    return file


def _peers(peers: str, others: ValidationInfo) -> str:
    parse_peers(peers, _text(others.data.get("kagent_url")), others.data.get("kagent_namespace"))
    return peers


def _text(url: AnyHttpUrl | None) -> str | None:
    return str(url).rstrip("/") if url else None


class Settings(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    llm_jwt_file: Annotated[Path | None, AfterValidator(_file_with_a_token)] = Field(
        default=None, description="It is a file with the token, in place of LLM_JWT; it is read again whenever it changes."
    )
    llm_jwt: Annotated[SecretStr | None, AfterValidator(_token_of_a_team)] = Field(
        default=None,
        validate_default=True,
        description="It is the agent's identity: a JSON Web Token with a `team` claim, without which the gateway refuses "
        "every call to the LLM; mount the token that the issuer minted for this agent's team.",
    )
    llm_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:8090/v1/chat/completions"),
        description="It is the http(s) address of the gateway's chat completions, path included.",
    )
    llm_model: str = Field(default="mock-essay-7b", description="It is the model's name as the gateway knows it.")
    llm_stream: bool = Field(
        default=True, description="It says whether the LLM is asked to stream its answer, true or false; all but a few can."
    )
    llm_timeout: float = Field(
        default=60, gt=0, le=3600, description="It is how many seconds one attempt at the LLM may take, more than 0."
    )
    on_budget_exhausted: Annotated[Literal["fail", "wait"], BeforeValidator(str.lower)] = Field(
        default="fail",
        description="It says what a task does whose budget is spent: fail at once, or wait until the budget is back.",
    )
    budget_longest_wait: float = Field(
        default=3600,
        gt=0,
        le=7 * 86_400,
        description="It is how many seconds a task waits for its budget at most, up to a week.",
    )
    budget_ladder: bool = Field(
        default=False,
        description="It says whether the agent asks for shorter answers, and then LLM_CHEAPER_MODEL, as its budget runs low.",
    )
    llm_cheaper_model: str | None = Field(
        default=None, description="It is the model that BUDGET_LADDER turns to last; without it, the model stays."
    )
    peer_timeout: float = Field(
        default=300, gt=0, le=3600, description="It is how many seconds a call of another agent may take, more than 0."
    )
    max_hops: int = Field(
        default=4, ge=1, le=16, description="It is how many agents may stand one above another in a task, this one included."
    )
    agent_store: SecretStr = Field(
        default=SecretStr(""),
        description="It is where tasks and conversations are kept: sqlite:///PATH, or postgresql://USER:PASSWORD@HOST/DB, "
        "which replicas share; without it, a SQLite file in .state/agents, one for each name and port.",
    )
    keep_tasks: int = Field(
        default=10_000, ge=1, le=10_000_000, description="It is how many tasks, and how many conversations, are kept at most."
    )
    keep_days: float = Field(
        default=30, gt=0, le=3650, description="It is how many days an unused task or conversation is kept."
    )
    shutdown_grace: float = Field(
        default=15,
        ge=0,
        le=18,
        description="It is how many seconds running tasks get at SIGTERM, up to 18; the server waits 20 for its connections.",
    )
    host: str = Field(default="127.0.0.1", description="It is the address to listen on; in a pod, 0.0.0.0.")
    port: int = Field(default=8080, ge=1, le=65535, description="It is the port to listen on; kagent calls 8080.")
    kagent_name: str | None = Field(default=None, description="It is the agent's name; kagent sets it.")
    kagent_namespace: str | None = Field(default=None, description="It is the agent's namespace; kagent sets it.")
    kagent_url: AnyHttpUrl | None = Field(default=None, description="It is where kagent's controller is; kagent sets it.")
    kagent_token_file: Path = Field(
        default=Path("/var/run/secrets/tokens/kagent-token"),
        description="It is the file with the token for kagent's controller; kagent mounts it.",
    )
    peers: Annotated[str, AfterValidator(_peers)] = Field(
        default="",
        description="It names the agents that this one may call: name=url with commas between, or only the name of an agent "
        "of kagent's, as name or namespace/name.",
    )
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

    @cached_property
    def token(self) -> Token:
        if self.llm_jwt_file:
            return Token(read_token(self.llm_jwt_file), self.llm_jwt_file)
        return Token(self.llm_jwt.get_secret_value() if self.llm_jwt else "")

    @cached_property
    def identity(self) -> Identity:
        return read_identity(self.token.current())

    @property
    def full_name(self) -> str:
        """By which agents know one another in a lineage: `namespace/name` under kagent."""
        return f"{self.kagent_namespace}/{self.name}" if self.kagent_namespace else self.name

    @property
    def name(self) -> str:
        return self.kagent_name or f"{self.identity.team}-agent"

    @property
    def callable_peers(self) -> tuple[Peer, ...]:
        return parse_peers(self.peers, _text(self.kagent_url), self.kagent_namespace)

    @property
    def store(self) -> str:
        return self.agent_store.get_secret_value() or f"sqlite:///.state/agents/{self.name}-{self.port}.sqlite3"

    @property
    def url(self) -> str:
        """Where callers reach the agent, without a slash at the end. Parents under kagent call the card's address."""
        if self.public_url:
            return str(self.public_url).rstrip("/")
        if self.kagent_name and self.kagent_namespace:
            return f"http://{self.kagent_name}.{self.kagent_namespace}:8080"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{ANY_ADDRESS.get(self.host, host)}:{self.port}"
