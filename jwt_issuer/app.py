"""The issuer's routes: the public keys, where they are, tokens for clients, and health."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI, HTTPException, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from jwt_issuer.config import Settings
from jwt_issuer.discovery import KEY_SET, TOKEN_ENDPOINT, discovery
from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.metrics import Metrics
from jwt_issuer.oauth.client_file import ClientFile
from jwt_issuer.oauth.clients import Clients
from jwt_issuer.oauth.endpoint import TokenEndpoint
from jwt_issuer.oauth.openapi import OPERATION

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


async def _nobody() -> Clients:
    return Clients(())


class Stopping:
    """Set at SIGTERM, so that no new caller is sent here while the last ones are answered."""

    def __init__(self) -> None:
        self._stopping = False

    def __bool__(self) -> bool:
        return self._stopping

    def begin(self) -> None:
        self._stopping = True


def create_app(
    settings: Settings,
    keychain: Keychain,
    clients: ClientFile | None,
    metrics: Metrics,
    stopping: Stopping,
    *,
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """Without `clients` nobody gets a token."""
    app = FastAPI(
        title="JWT issuer",
        description="Signs the tokens that say for whom an agent or a user calls, and publishes the keys to verify them with.",
        lifespan=lifespan,
    )
    current = clients.current if clients else _nobody
    cached = {"cache-control": f"public, max-age={settings.max_age}"}

    @app.get(KEY_SET, response_class=Response, responses={200: {"content": {"application/json": {}}}})
    async def keys() -> Response:
        """The public keys, the one that signs now first (RFC 7517)."""
        return Response(keychain.key_set(), media_type="application/json", headers=cached)

    @app.get("/.well-known/openid-configuration")
    @app.get("/.well-known/oauth-authorization-server")
    async def configuration(request: Request, response: Response) -> dict[str, object]:
        """The issuer's name and endpoints (OpenID Connect Discovery 1.0, RFC 8414)."""
        # The endpoints are those of the address that was asked, so a shared cache must not mix them up.
        response.headers.update(cached | {"vary": "host"})
        url = settings.url or str(request.base_url).rstrip("/")
        return discovery(settings.issuer, url, (await current()).scopes)

    tokens = TokenEndpoint(current, keychain, issuer=settings.issuer, outcomes=metrics.token_requests)
    app.add_api_route(TOKEN_ENDPOINT, tokens.answer, methods=["POST"], openapi_extra=OPERATION, response_model=None)

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", responses={503: {"description": "It is about to stop."}})
    async def ready() -> dict[str, str]:
        """Also where the tokens cannot be renewed at the moment: the key set is what all verifiers need."""
        if stopping:
            raise HTTPException(503, "The issuer is about to stop.")
        return {"status": "ok"}

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def prometheus() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app
