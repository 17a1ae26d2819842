"""`GET /v1/budget`: what applies to the caller itself, and how it stands. The gateway routes to this port, and has said in
headers of its own who calls; nobody else may reach it."""

from collections.abc import Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from budgets.answers import amount, balance_object, timestamp
from budgets.decision import Balance
from budgets.documents.stamped import dimension_of
from budgets.overview import Overview
from budgets.stores.store import StoreAway

_UNREADABLE = {
    "message": "A header that says who calls is not UTF-8 text.",
    "type": "invalid_request_error",
    "code": "unreadable_header",
    "param": None,
}
_AWAY = {"message": "The budget store cannot be used.", "type": "server_error", "code": "budget_store_away", "param": None}


def create_caller_app(overview: Overview, clock: Callable[[], float]) -> FastAPI:
    app = FastAPI(title="budget", description="A caller's own budgets.", openapi_url=None)

    @app.exception_handler(StoreAway)
    async def store_away(request: Request, error: StoreAway) -> Response:
        return JSONResponse({"error": _AWAY}, status_code=503)

    @app.exception_handler(UnicodeError)
    async def unreadable(request: Request, error: UnicodeError) -> Response:
        return JSONResponse({"error": _UNREADABLE}, status_code=400)

    @app.get("/v1/budget")
    async def budget(request: Request) -> dict[str, object]:
        """The tightest first. `burn_rate` is spend a minute, of late; `spent_at` when the rest will be gone at that rate."""
        dimensions = _dimensions(request)
        balances = await overview.of_caller(dimensions)
        return {"subject": dimensions, "budgets": [_outlook(balance, clock()) for balance in balances]}

    return app


def _dimensions(request: Request) -> dict[str, str]:
    """As the descriptors of a call carry them, in UTF-8; a header is bytes. Raises UnicodeError."""
    stamped = {dimension_of(name.decode("latin-1")): value for name, value in request.headers.raw if value}
    return {dimension: value.decode() for dimension, value in stamped.items() if dimension}


def _outlook(balance: Balance, now: float) -> dict[str, object]:
    a_minute = balance.burn_rate * 60
    spent_at = now + balance.remaining / balance.burn_rate if balance.burn_rate > 0 else None
    in_time = spent_at is not None and spent_at < balance.reset_at
    return balance_object(balance) | {
        "burn_rate": amount(balance.budget, round(a_minute)),
        "spent_at": timestamp(spent_at) if spent_at is not None and in_time else None,
    }
