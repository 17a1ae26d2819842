"""`RateLimitConfig` documents (`ratelimit.solo.io/v1alpha1`).

The shape is that of Solo's RateLimitConfig: nested descriptors that hold the limits, and the actions by which a call becomes
the descriptors that it is asked about with.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from budgets.budget import TOKEN_CAP
from budgets.documents.descriptors import Asked, Limit, TreeDocument, unit_of
from budgets.documents.found import Found, Metadata, Strict
from budgets.documents.stamped import DIMENSION_PREFIX, STAMPED, dimension_of
from budgets.windows import Unit


class RateLimit(Strict):
    requests_per_unit: int = Field(ge=0, le=TOKEN_CAP)
    unit: Annotated[Unit, BeforeValidator(unit_of)]


class ConfigDescriptor(Strict):
    key: str = Field(min_length=1)
    value: str | None = None
    rate_limit: RateLimit | None = None
    descriptors: tuple["ConfigDescriptor", ...] = Field((), strict=False)

    @property
    def limit(self) -> Limit | None:
        return Limit(self.rate_limit.requests_per_unit, self.rate_limit.unit) if self.rate_limit else None

    @property
    def unlimited(self) -> bool:
        return False

    @property
    def name(self) -> None:
        return None

    @property
    def replaces(self) -> tuple[str, ...]:
        return ()


class GenericKey(Strict):
    descriptor_key: str = "generic_key"
    descriptor_value: str


def _stamped(header: str) -> str:
    if dimension_of(header) is None:
        stamped = ", ".join((*STAMPED, f"{DIMENSION_PREFIX}NAME"))
        raise ValueError(f"a caller can choose or leave out the header {header!r}; use one that the gateway sets: {stamped}")
    return header


class RequestHeaders(Strict):
    descriptor_key: str = Field(min_length=1)
    header_name: Annotated[str, BeforeValidator(_stamped)]


class Action(Strict):
    generic_key: GenericKey | None = None
    request_headers: RequestHeaders | None = None

    def model_post_init(self, context: Any) -> None:
        if (self.generic_key is None) == (self.request_headers is None):
            raise ValueError("an action is either genericKey or requestHeaders")

    @property
    def asks_for(self) -> Asked:
        if self.generic_key:
            return Asked(self.generic_key.descriptor_key, constant=self.generic_key.descriptor_value)
        assert self.request_headers  # noqa: S101  model_post_init: one of the two is there
        return Asked(self.request_headers.descriptor_key, dimension=dimension_of(self.request_headers.header_name))


class RateLimitActions(Strict):
    actions: tuple[Action, ...] = Field(min_length=1, strict=False)
    type: Literal["TOKEN"]


class Raw(Strict):
    descriptors: tuple[ConfigDescriptor, ...] = Field(min_length=1, strict=False)
    rate_limits: tuple[RateLimitActions, ...] = Field((), strict=False)


class Spec(Strict):
    raw: Raw


class RateLimitConfig(Strict):
    api_version: Literal["ratelimit.solo.io/v1alpha1"]
    kind: Literal["RateLimitConfig"]
    metadata: Metadata
    spec: Spec

    def tree(self, found: Found, namespace: str) -> TreeDocument:
        asked = tuple(tuple(action.asks_for for action in each.actions) for each in self.spec.raw.rate_limits)
        return TreeDocument(
            found, namespace, self.metadata.name, self.spec.raw.descriptors, ("spec", "raw", "descriptors"), asked
        )
