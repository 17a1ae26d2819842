"""The mock's environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mock_llm.faults import NAMES, Fault
from mock_llm.latency import LONGEST_MS, Latency
from mock_llm.ledger.ledger import ENTRIES
from mock_llm.usage import MOST_TOKENS, TokenRange


def _read_rates(text: object) -> object:
    if not isinstance(text, str):
        return text
    rates: dict[Fault, float] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, rate = (part.strip() for part in entry.partition("="))
        if name not in set(Fault):
            raise ValueError(f"{name[:80]!r} is no fault")
        rates[Fault(name)] = _share(rate, entry)
    if sum(rates.values()) > 1 + 1e-9:
        raise ValueError("the shares add up to more than 1")
    return rates


def _share(rate: str, entry: str) -> float:
    try:
        share = float(rate)
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise ValueError(f"in {entry[:80]!r} the share is not a number from 0 to 1")
    return share


def _read_range(text: object) -> object:
    if not isinstance(text, str):
        return text
    fewest, dots, most = (part.strip() for part in text.partition(".."))
    numbers = [fewest, most if dots else fewest]
    if not all(number.isascii() and number.isdigit() and len(number) <= 8 for number in numbers):
        raise ValueError(f"{text[:80]!r} is neither a number nor a range such as 400..1500")
    tokens = TokenRange(*map(int, numbers))
    if not tokens.fewest <= tokens.most <= MOST_TOKENS:
        raise ValueError(f"{text[:80]!r} does not go up from 0 to at most {MOST_TOKENS}")
    return tokens


Milliseconds = Annotated[float, Field(ge=0, le=LONGEST_MS, allow_inf_nan=False)]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="MOCK_LLM_", env_ignore_empty=True, frozen=True)

    host: str = Field(default="127.0.0.1", description="It is the address to listen on, such as 127.0.0.1 or 0.0.0.0.")
    port: int = Field(default=8201, ge=1, le=65535, description="It is the TCP port to listen on, from 1 to 65535.")
    seed: int | None = Field(
        default=None, description="It is a whole number that makes every run answer alike; leave it unset for random answers."
    )
    max_body: int = Field(
        default=1 << 20, ge=1, le=1 << 30, description="It is the largest request body accepted, in bytes, up to 1 GiB."
    )
    fault_rates: Annotated[Mapping[Fault, float] | None, NoDecode, BeforeValidator(_read_rates)] = Field(
        default=None,
        description=(
            "It is the share of requests that meet each fault, such as rate_limited=0.1,reset=0.02. "
            f"The faults are {NAMES}. One request asks for one by the header x-mock-fault: reset, or by the words fault:reset "
            "in its last user message; reset*2 is for the first two such requests only."
        ),
    )
    models: Path | None = Field(
        default=None,
        description="It names a YAML file with the models that are served, with the usage and the latency of each; "
        "without one every model is.",
    )
    tokens: Annotated[TokenRange, NoDecode, BeforeValidator(_read_range)] = Field(
        default=TokenRange(400, 1500),
        description="It is the range that an answer's completion tokens are drawn from, such as 400..1500; "
        "a single number fixes them.",
    )
    ttft_ms: Milliseconds = Field(default=0, description="It is the time to the first token, in milliseconds.")
    ttft_deviation_ms: Milliseconds = Field(default=0, description="It is the standard deviation of that.")
    itl_ms: Milliseconds = Field(default=0, description="It is the time from one token to the next, in milliseconds.")
    itl_deviation_ms: Milliseconds = Field(default=0, description="It is the standard deviation of that.")
    journal: int = Field(
        default=ENTRIES,
        ge=0,
        le=1_000_000,
        description="It is how many calls GET /ledger/entries remembers; 0 turns it off.",
    )

    @property
    def latency(self) -> Latency:
        return Latency(self.ttft_ms, self.ttft_deviation_ms, self.itl_ms, self.itl_deviation_ms)
