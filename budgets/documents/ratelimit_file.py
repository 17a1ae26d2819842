"""Configuration files of envoyproxy/ratelimit: a domain and nested descriptors, as its README describes them.

`shadow_mode` audits; `unlimited`, or a descriptor with neither limit nor descriptors below it, lets through. `detailed_metric`
and `value_to_metric` are accepted and change nothing here. What would change a decision and is not supported is refused.
"""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from budgets.budget import TOKEN_CAP, Action
from budgets.documents.descriptors import Limit, TreeDocument, unit_of
from budgets.documents.found import Found, Strict
from budgets.windows import Unit


class _SnakeCase(Strict):
    model_config = ConfigDict(alias_generator=None)


class Replaced(_SnakeCase):
    name: str = Field(min_length=1)


class FileLimit(_SnakeCase):
    unit: Annotated[Unit | None, BeforeValidator(unit_of)] = None
    requests_per_unit: int | None = Field(None, ge=0, le=TOKEN_CAP)
    unlimited: bool = False
    name: str | None = None
    replaces: tuple[Replaced, ...] = Field((), strict=False)

    @model_validator(mode="after")
    def _limits_or_does_not(self) -> "FileLimit":
        if self.unlimited and (self.unit or self.requests_per_unit is not None):
            raise ValueError("is unlimited, and so can have neither unit nor requests_per_unit")
        if not self.unlimited and (self.unit is None or self.requests_per_unit is None):
            raise ValueError("needs unit and requests_per_unit, or unlimited: true")
        if any(each.name == self.name for each in self.replaces):
            raise ValueError(f"cannot replace itself, {self.name!r}")
        return self


def _refused(asked: bool) -> bool:
    if asked:
        raise ValueError("is not supported, and leaving it out would change what is limited; remove it")
    return asked


NotSupported = Annotated[bool, AfterValidator(_refused)]


class FileDescriptor(_SnakeCase):
    key: str = Field(min_length=1)
    value: str | None = None
    rate_limit: FileLimit | None = None
    descriptors: tuple["FileDescriptor", ...] = Field((), strict=False)
    shadow_mode: bool = False
    detailed_metric: bool = False
    value_to_metric: bool = False
    share_threshold: NotSupported = False
    quota_mode: NotSupported = False

    @property
    def limit(self) -> Limit | None:
        stated = self.rate_limit
        if stated is None or stated.unit is None or stated.requests_per_unit is None:
            return None
        return Limit(stated.requests_per_unit, stated.unit, Action.AUDIT if self.shadow_mode else Action.BLOCK)

    @property
    def unlimited(self) -> bool:
        return self.rate_limit.unlimited if self.rate_limit else not self.descriptors

    @property
    def name(self) -> str | None:
        return self.rate_limit.name if self.rate_limit else None

    @property
    def replaces(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.rate_limit.replaces) if self.rate_limit else ()


class RateLimitFile(_SnakeCase):
    domain: str = Field(min_length=1)
    descriptors: tuple[FileDescriptor, ...] = Field(min_length=1, strict=False)

    def tree(self, found: Found, namespace: str, served: str | None) -> TreeDocument:
        """Raises PolicyError where the file is for another domain than the served one."""
        if served is not None and self.domain != served:
            raise found.error(("domain",), f"is {self.domain!r}, but {served!r} is served; set BUDGETS_DOMAIN to one of them")
        return TreeDocument(found, namespace, found.file.stem, self.descriptors, ("descriptors",))
