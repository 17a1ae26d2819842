"""What the routes of the operators answer, for the OpenAPI document too."""

from typing import Literal

from pydantic import BaseModel


class ModelRow(BaseModel):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    object: Literal["list"]
    data: list[ModelRow]


class TotalsRow(BaseModel):
    requests: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int


class CallerRow(TotalsRow):
    team: str
    user: str


class ModelTotals(TotalsRow):
    model: str


class LedgerPage(BaseModel):
    callers: list[CallerRow]
    models: list[ModelTotals]


class EntryRow(BaseModel):
    time: str
    team: str
    user: str
    request_id: str
    endpoint: str
    model: str | None
    outcome: str
    code: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None


class EntriesPage(BaseModel):
    entries: list[EntryRow]
    dropped: int
    """How many older calls the journal has dropped since the last reset."""


class Status(BaseModel):
    status: str
