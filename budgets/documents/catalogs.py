"""Model cost catalogs: `catalog.json` beside the policy, or in a ConfigMap under that name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from budgets.documents.found import Found, Metadata, Strict

CATALOG = "catalog.json"


@dataclass(frozen=True)
class CatalogDocument:
    """A catalog as it was found; what it says is read by `budgets.catalog`."""

    file: Path
    place: str
    """Where in the file its text stands, such as `data.catalog.json`; empty where it is the whole file."""
    text: str


class CatalogData(Strict):
    catalog: str = Field(validation_alias=CATALOG)


class ConfigMap(Strict):
    api_version: Literal["v1"]
    kind: Literal["ConfigMap"]
    metadata: Metadata
    data: CatalogData

    def document(self, found: Found) -> CatalogDocument:
        return CatalogDocument(found.file, f"data.{CATALOG}", self.data.catalog)
