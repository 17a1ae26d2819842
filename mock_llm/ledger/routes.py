"""The routes for people and machines that look after the mock: models, ledger, journal, metrics and health."""

from collections.abc import Callable
from itertools import islice
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response

from mock_llm.errors import ApiError, wrong_value
from mock_llm.faults import Fault
from mock_llm.ledger import metrics
from mock_llm.ledger.journal import ANSWERED, GONE, REFUSED
from mock_llm.ledger.rows import EntriesPage, LedgerPage, ModelList, ModelRow, Status
from mock_llm.mock import Mock
from mock_llm.openapi import Error

MOST_ENTRIES = 1000
"""In one answer."""


FILTERS = ("team", "user", "model", "request_id", "outcome", "limit")
OUTCOMES = (ANSWERED, REFUSED, GONE, *Fault)


def add_operators(app: FastAPI, mock: Mock, is_stopping: Callable[[], bool]) -> None:
    _add_models(app, mock)
    _add_ledger(app, mock)
    _add_health(app, mock, is_stopping)


def _add_models(app: FastAPI, mock: Mock) -> None:
    def row(name: str) -> dict[str, object]:
        return {"id": name, "object": "model", "created": mock.started, "owned_by": "agentic-budgets"}

    @app.get("/v1/models", response_model=ModelList)
    async def models() -> dict[str, object]:
        """The models that are served; without a list of them every model is."""
        return {"object": "list", "data": [row(name) for name in mock.models.names]}

    @app.get("/v1/models/{model:path}", response_model=ModelRow, responses={404: {"model": Error}})
    async def model(model: str) -> dict[str, object]:
        mock.models.find(model)
        return row(model)


def _add_ledger(app: FastAPI, mock: Mock) -> None:
    @app.get("/ledger", response_model=LedgerPage)
    async def ledger() -> dict[str, object]:
        """What callers were told that they used, by caller and by model."""
        models = [{"model": name} | totals.row() for name, totals in mock.ledger.models.items() if totals.requests]
        return {"callers": mock.ledger.callers(), "models": models}

    @app.delete("/ledger", status_code=204)
    async def reset() -> None:
        """Forget every call, and what the seed has drawn: what follows is the first run again."""
        mock.reset()

    @app.get("/ledger/entries", response_model=EntriesPage, responses={400: {"model": Error}})
    async def entries(
        request: Request,
        *,
        team: str | None = None,
        user: str | None = None,
        model: str | None = None,
        request_id: str | None = None,
        outcome: Annotated[str | None, Query(json_schema_extra={"enum": [*OUTCOMES]})] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = 100,
    ) -> dict[str, object]:
        """The last calls, the newest first."""
        _refuse_unknown(request)
        if outcome is not None and outcome not in OUTCOMES:
            raise wrong_value("outcome", outcome, ", ".join(f"'{each}'" for each in OUTCOMES))
        asked = {"team": team, "user": user, "model": model, "request_id": request_id, "outcome": outcome}
        wanted = {field: value for field, value in asked.items() if value is not None}
        found = islice(mock.ledger.journal.newest_first(wanted), limit)
        return {"entries": [entry.row() for entry in found], "dropped": mock.ledger.journal.dropped}


def _refuse_unknown(request: Request) -> None:
    """A filter that is misspelt would otherwise show calls that nobody asked for."""
    unknown = next((name for name in request.query_params if name not in FILTERS), None)
    if unknown is not None:
        raise wrong_value(unknown[:80], unknown, ", ".join(map(repr, FILTERS)))


def _add_health(app: FastAPI, mock: Mock, is_stopping: Callable[[], bool]) -> None:
    @app.get("/healthz", response_model=Status)
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", response_model=Status, responses={503: {"model": Error}})
    async def ready() -> dict[str, str]:
        """Until SIGTERM."""
        if is_stopping():
            raise ApiError(503, "The mock is stopping.", kind="server_error")
        return {"status": "ok"}

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def prometheus() -> Response:
        body, content_type = metrics.render(mock.ledger)
        return Response(body, media_type=content_type)
