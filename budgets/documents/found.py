"""One document of a policy as YAML reads it, before anybody knows what it is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from budgets.documents.errors import PolicyError
from service.yaml_files import UnreadableError, place_in, read_yaml

Location = tuple[int | str, ...]


class Strict(BaseModel):
    """What every document is made of: camel case, no field that nobody reads, no value that has to be guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)


class Metadata(Strict):
    """Kubernetes' `metadata`; annotations and the like are nobody's business here."""

    model_config = ConfigDict(extra="ignore")
    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)
    namespace: str | None = Field(None, min_length=1)
    labels: dict[str, str] = {}


Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Found:
    file: Path
    content: object
    number: int | None = None
    """Its number in the file, from one; None where it is the only document there."""

    def field(self, name: str) -> Any:
        """What stands under a key at the top of the document; None where it is missing or the document is no mapping."""
        return self.content.get(name) if isinstance(self.content, Mapping) else None

    @property
    def keys(self) -> frozenset[object]:
        """What stands at the top of the document."""
        return frozenset(self.content) if isinstance(self.content, Mapping) else frozenset()

    @property
    def namespace(self) -> str | None:
        """`metadata.namespace`, where the document says one."""
        metadata = self.field("metadata")
        namespace = metadata.get("namespace") if isinstance(metadata, Mapping) else None
        return namespace if isinstance(namespace, str) else None

    def read_as(self, model: type[Model]) -> Model:
        """Raises PolicyError. Its text quotes no value of the document but where the model's own validators do."""
        try:
            return model.model_validate(self.content)
        except ValidationError as error:
            problem = error.errors()[0]
            raise self.error(problem["loc"], problem["msg"].removeprefix("Value error, ")) from None
        except RecursionError:
            raise self.error((), "is nested too deeply") from None

    def error(self, location: Location, reason: str) -> PolicyError:
        """What is wrong at a place in this document."""
        document = f"document {self.number}" if self.number else ""
        return PolicyError(self.file, ", ".join(filter(None, (document, place_in(location)))), reason)


def find_in(file: Path) -> tuple[Found, ...]:
    """Every document of a YAML file. Raises PolicyError, which quotes nothing of a file that speaks of a Secret."""
    try:
        documents = read_yaml(file)
    except UnreadableError as error:
        raise PolicyError(file, "", _without_secrets(file, str(error))) from None
    alone = len(documents) == 1
    return tuple(Found(file, content, None if alone else number) for number, content in enumerate(documents, 1))


def _without_secrets(file: Path, reason: str) -> str:
    """YAML's own words quote the line that is wrong, and that may be the one with the key."""
    if not reason.startswith("is not YAML") or "Secret" not in file.read_text(encoding="utf-8", errors="replace"):
        return reason
    places = re.findall(r"line \d+, column \d+", reason)
    return f"is not YAML{f' at {places[-1]}' if places else ''} (the file holds a Secret, so nothing of it is quoted here)"
