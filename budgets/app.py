"""Health, status, reset and raise over HTTP, for operators. It has a port of its own, which no gateway routes to."""

from typing import Annotated

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from budgets.answers import balance_object, timestamp
from budgets.budget import Budget
from budgets.decision import Balance
from budgets.metrics import Metrics
from budgets.overview import Overview
from budgets.reload import PolicyFile
from budgets.stores.store import Store, StoreAway
from budgets.wire import HITS_CAP

Name = Annotated[str, Field(min_length=1, max_length=1024)]


class Reset(BaseModel):
    """In a JSON body, which no foreign web page can send to this port unasked (a query it could)."""

    model_config = ConfigDict(extra="forbid")
    team: Name | None = None
    budget: Name | None = None
    """A budget's id."""

    @model_validator(mode="after")
    def _one(self) -> "Reset":
        if (self.team is None) == (self.budget is None):
            raise ValueError("name either a team or a budget")
        return self

    def chooses(self, budget: Budget) -> bool:
        return budget.id == self.budget if self.budget else budget.subject.get("team") == self.team


LIMIT = r"^[0-9]{1,10}(\.[0-9]{1,6})?$"


class RaiseLimit(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    budget: Name
    limit: Annotated[str, Field(pattern=LIMIT)] | Annotated[int, Field(ge=0, le=HITS_CAP)]
    """In the budget's unit; dollars may be decimal text."""
    windows: int = Field(1, ge=1, le=366)


def create_app(overview: Overview, store: Store, policy_file: PolicyFile, metrics: Metrics) -> FastAPI:
    app = FastAPI(title="budgets", description="Health, status, reset and raise of the budget service.")

    @app.exception_handler(StoreAway)
    async def store_away(request: Request, error: StoreAway) -> Response:
        return JSONResponse({"detail": f"The store that BUDGETS_STORE names cannot be used: {error}"}, status_code=503)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        return JSONResponse({"detail": _wrong(error)}, status_code=422)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Up, whatever the store does: restarting this service would not bring the store back."""
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        """Ready to decide: the store can be read and charged."""
        await store.ping()
        return {"status": "ok"}

    @app.get("/metrics")
    async def prometheus() -> Response:
        body, content_type = metrics.render(await _standing(overview))
        return Response(body, media_type=content_type)

    @app.get("/v1/budgets")
    async def budgets() -> dict[str, object]:
        """Every budget with what is used, and whether the policy as it stands is in force."""
        return {
            "budgets": [balance_object(balance) for balance in await overview.all()],
            "policy": {"loaded_at": policy_file.loaded_at.isoformat(), "error": policy_file.error},
        }

    @app.post("/v1/budgets/reset")
    async def reset(asked: Reset) -> dict[str, object]:
        """Empty every budget of a team, or one budget, in the windows that run now; answers them as they were."""
        balances = await overview.reset(asked.chooses)
        if not balances:
            raise HTTPException(404, await _nothing_to_reset(overview, asked))
        return {"reset": [balance_object(balance) for balance in balances]}

    @app.post("/v1/budgets/raise")
    async def raise_limit(asked: RaiseLimit) -> dict[str, object]:
        """Another limit, higher or lower, for so many windows from the one that runs; answers the budget as it is then."""
        try:
            raised = await overview.raise_limit(asked.budget, asked.limit, asked.windows)
        except ValueError as error:
            raise HTTPException(422, f"{error}.") from None
        if raised is None:
            raise HTTPException(404, await _no_such_budget(overview, asked.budget))
        balance, how = raised
        return {"raised": balance_object(balance), "until": timestamp(how.until)}

    return app


async def _standing(overview: Overview) -> list[Balance]:
    """None while the store is away: what this service has counted itself is worth most just then."""
    try:
        return await overview.spelled_out()
    except StoreAway:
        return []


def _wrong(error: RequestValidationError) -> str:
    """In one sentence that quotes no value: NaN, say, could not be answered in JSON. A name could not be in UTF-8."""
    problem = error.errors()[0]
    if problem["loc"][:2] == ("body", "limit") and problem["type"] != "missing":
        return "Write the limit as a number, such as 8000 or 2.50."
    place = ".".join(str(each)[:100] for each in problem["loc"])
    return f"{place}: {problem['msg']}.".encode("ascii", "backslashreplace").decode()


async def _nothing_to_reset(overview: Overview, asked: Reset) -> str:
    if asked.budget:
        return await _no_such_budget(overview, asked.budget)
    teams = sorted({each.budget.subject.get("team", "") for each in await overview.all()} - {""})
    known = f"Teams with a budget: {', '.join(teams) or 'none'}."
    return f"No budget has team={asked.team!r}. {known} Any other budget is reset by its id: budgets reset --budget ID."


async def _no_such_budget(overview: Overview, name: str) -> str:
    known = [each.budget.id for each in await overview.all()]
    some = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    return f"There is no budget {name!r}. Budgets: {some or 'none'}."
