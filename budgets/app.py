"""Health, status and reset over HTTP, for operators. It has a port of its own, which no gateway routes to."""

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from budgets.answers import balance_object
from budgets.engine import Engine
from budgets.reload import PolicyFile
from budgets.store import Store, StoreAway


class Reset(BaseModel):
    """In a JSON body, which no foreign web page can send to this port unasked (a query it could)."""

    team: str = Field(min_length=1)


def create_app(engine: Engine, store: Store, policy_file: PolicyFile) -> FastAPI:
    app = FastAPI(title="budgets", description="Health, status and reset of the budget service.")

    @app.exception_handler(StoreAway)
    async def store_away(request: Request, error: StoreAway) -> Response:
        return JSONResponse({"detail": f"The store that BUDGETS_STORE names cannot be used: {error}"}, status_code=503)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Up, whatever the store does: restarting this service would not bring the store back."""
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        """Ready to decide: the store can be read and charged."""
        await store.ping()
        return {"status": "ok"}

    @app.get("/v1/budgets")
    async def budgets() -> dict[str, object]:
        """Every budget with what is used, and whether the policy file as it stands is in force."""
        return {
            "budgets": [balance_object(balance) for balance in await engine.status()],
            "policy": {"loaded_at": policy_file.loaded_at.isoformat(), "error": policy_file.error},
        }

    @app.post("/v1/budgets/reset")
    async def reset(asked: Reset) -> dict[str, object]:
        """Empty every budget of a team, in the windows that run now; answers them as they were."""
        balances = await engine.reset("team", asked.team)
        if not balances:
            teams = sorted({each.budget.subject.get("team", "") for each in await engine.status()} - {""})
            raise HTTPException(404, f"No budget has team={asked.team!r}. Teams with a budget: {', '.join(teams) or 'none'}.")
        return {"reset": [balance_object(balance) for balance in balances]}

    return app
