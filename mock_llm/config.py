"""The mock's environment."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mock_llm.faults import NAMES, Fault


def _read_rates(text: object) -> object:
    if not isinstance(text, str):
        return text
    rates: dict[Fault, float] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, rate = (part.strip() for part in entry.partition("="))
        if name not in set(Fault):
            raise ValueError(f"{name[:80]!r} is no fault; the faults are {NAMES}")
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
    fault_rates: Annotated[Mapping[Fault, float] | None, NoDecode, BeforeValidator(_read_rates)] = Field(
        default=None,
        description=(
            "It is the share of requests that meet each fault, such as rate_limited=0.1,reset=0.02. "
            f"The faults are {NAMES}. One request asks for one by the header x-mock-fault: reset, or by the words fault:reset "
            "in its last user message; reset*2 is for the first two such requests only."
        ),
    )
