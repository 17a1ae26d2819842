"""The issuer's routes: the public key, and health. On purpose none of them mints; that would hand out identities to anyone."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Response

from jwt_issuer.keys import SigningKey
from jwt_issuer.renewal import Renewal

MAX_AGE = 300
"""Seconds that a gateway may keep the key set without asking again."""


def create_app(key: SigningKey, renewal: Renewal) -> FastAPI:
    """Once it serves, the tokens are to be on disk, for health says so: call `renewal.renew` before."""

    @asynccontextmanager
    async def renewing(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(renewal.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    app = FastAPI(
        title="JWT issuer", description="Publishes the key that the agents' tokens are signed with.", lifespan=renewing
    )
    key_set = json.dumps({"keys": [key.jwk]})

    @app.get("/.well-known/jwks.json")
    async def keys() -> Response:
        return Response(key_set, media_type="application/json", headers={"cache-control": f"public, max-age={MAX_AGE}"})

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app
