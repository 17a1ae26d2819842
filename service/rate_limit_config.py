"""`RateLimitConfig` documents (`ratelimit.solo.io/v1alpha1`) as they stand in a file, with wrong ones named.

The shape is that of Solo's RateLimitConfig: nested descriptors that hold the limits, and the actions from which a gateway
builds the descriptors it asks with.
"""

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from service.yaml_files import UnreadableError, place_in, read_yaml


class Unit(Enum):
    """How long a window is; the names are those of envoyproxy/ratelimit and of RateLimitConfig."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


TOKEN_CAP = 2**32 - 1
"""The largest limit: `requests_per_unit` is a uint32 on the wire."""


class PolicyError(ValueError):
    """A policy that cannot be used. The text is one sentence: the file, the place in the document and the reason."""

    def __init__(self, file: Path, place: str, reason: str) -> None:
        super().__init__(f"{file}: {place}: {reason}" if place else f"{file}: {reason}")


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)


def _unit(name: Any) -> Any:
    if not isinstance(name, str) or name.upper() not in Unit.__members__:
        raise ValueError(f"unknown unit {name!r}; use one of {', '.join(Unit.__members__)}")
    return Unit[name.upper()]


class RateLimit(_Document):
    requests_per_unit: int = Field(ge=0, le=TOKEN_CAP)
    unit: Annotated[Unit, BeforeValidator(_unit)]


class Descriptor(_Document):
    key: str = Field(min_length=1)
    value: str | None = None
    rate_limit: RateLimit | None = None
    descriptors: tuple["Descriptor", ...] = Field((), strict=False)


class GenericKey(_Document):
    descriptor_key: str = "generic_key"
    descriptor_value: str


class RequestHeaders(_Document):
    descriptor_key: str
    header_name: str


class Action(_Document):
    generic_key: GenericKey | None = None
    request_headers: RequestHeaders | None = None

    def model_post_init(self, context: Any) -> None:
        if (self.generic_key is None) == (self.request_headers is None):
            raise ValueError("an action is either genericKey or requestHeaders")

    @property
    def asks_for(self) -> tuple[str, str | None]:
        """The key it puts in a descriptor, and the value where that is the same for every request."""
        if self.generic_key:
            return self.generic_key.descriptor_key, self.generic_key.descriptor_value
        assert self.request_headers  # noqa: S101  model_post_init: one of the two is there
        return self.request_headers.descriptor_key, None


class RateLimitActions(_Document):
    actions: tuple[Action, ...] = Field(min_length=1, strict=False)
    type: Literal["TOKEN"]


class Raw(_Document):
    descriptors: tuple[Descriptor, ...] = Field(min_length=1, strict=False)
    rate_limits: tuple[RateLimitActions, ...] = Field((), strict=False)


class Spec(_Document):
    raw: Raw


class Metadata(_Document):
    model_config = ConfigDict(extra="ignore")
    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")


class RateLimitConfig(_Document):
    api_version: Literal["ratelimit.solo.io/v1alpha1"]
    kind: Literal["RateLimitConfig"]
    metadata: Metadata
    spec: Spec


def read_documents(file: Path) -> tuple[RateLimitConfig, ...]:
    """Every document of the file. Raises PolicyError."""
    try:
        documents = read_yaml(file)
    except UnreadableError as error:
        raise PolicyError(file, "", str(error)) from None
    if not documents:
        raise PolicyError(file, "", "holds no RateLimitConfig document")
    return tuple(_parse(file, number, document) for number, document in enumerate(documents))


def _parse(file: Path, number: int, document: object) -> RateLimitConfig:
    try:
        return RateLimitConfig.model_validate(document)
    except ValidationError as error:
        problem = error.errors()[0]
        place = place_in(problem["loc"]) or f"document {number + 1}"
        raise PolicyError(file, place, problem["msg"].removeprefix("Value error, ")) from None
    except RecursionError:
        raise PolicyError(file, f"document {number + 1}", "is nested too deeply") from None
