"""`POST /token`: a token for a client that shows its secret (RFC 6749, 4.4)."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable

from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.oauth.clients import Client, Clients
from jwt_issuer.oauth.errors import CODES, NO_STORE, TokenError, invalid_client, slow_down, unavailable
from jwt_issuer.oauth.request import TokenRequest, read_token_request
from jwt_issuer.oauth.throttle import Guesser, Throttle
from jwt_issuer.oauth.turns import BusyError, Turns
from jwt_issuer.stores import StoreError

logger = logging.getLogger(__name__)

AT_ONCE, WAITING, WAITING_EACH = 2, 64, 16
"""Secrets that are checked at a time, and requests that wait for it, in all and of one address: guesses must not take the
machine from the key set, nor one address the queue from the others."""

BUSY_WAIT = 2
STORE_WAIT = 5
"""Seconds after which a client may try again."""

_ISSUED = "issued"


class TokenEndpoint:
    """`clients` tells those of now. `outcomes` counts the answers by its label: `issued`, or the error's code.

    `clock` tells seconds, and never goes back.
    """

    def __init__(
        self,
        clients: Callable[[], Awaitable[Clients]],
        keychain: Keychain,
        *,
        issuer: str,
        outcomes: Counter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clients = clients
        self._keychain = keychain
        self._issuer = issuer
        self._throttle = Throttle(clock)
        self._turns = Turns(AT_ONCE, WAITING, WAITING_EACH)
        self._outcomes = outcomes
        for outcome in (_ISSUED, *CODES):
            outcomes.labels(outcome)

    async def answer(self, request: Request) -> Response:
        try:
            response = await self._issue(request)
        except TokenError as error:
            self._outcomes.labels(error.code).inc()
            return error.response()
        self._outcomes.labels(_ISSUED).inc()
        return response

    async def _issue(self, request: Request) -> Response:
        asked = await read_token_request(request)
        guesser = Guesser.of(request.client.host if request.client else "", asked.client_id)
        self._refuse_early(guesser)
        try:
            async with self._turns.turn(guesser.address):
                # Others who say to be the same client may have failed while this one waited.
                self._refuse_early(guesser)
                client = await self._authenticated(guesser, asked)
                # In the same turn: a store that hangs holds up two threads then, and not all that the process has.
                return await self._granted(client, asked)
        except BusyError:
            logger.warning("Turned a client away: too many wait already for their secrets to be checked.")
            raise unavailable(BUSY_WAIT) from None

    def _refuse_early(self, guesser: Guesser) -> None:
        """Also with the right secret: if that passed during the wait, a wait would tell whether a guess is right."""
        if wait := self._throttle.wait(guesser):
            raise slow_down(wait)

    async def _authenticated(self, guesser: Guesser, asked: TokenRequest) -> Client:
        clients = await self._clients()
        client = await asyncio.to_thread(clients.authenticated, asked.client_id, asked.secret)
        if client is None:
            self._failed(guesser, known=clients.find(asked.client_id) is not None)
            raise invalid_client()
        self._throttle.succeeded(guesser)
        return client

    def _failed(self, guesser: Guesser, *, known: bool) -> None:
        logger.warning(
            "Refused a client: %s. client_id=%s peer=%s failures=%d next_in=%g s",
            "a wrong secret" if known else "no client of this id",
            # Some day somebody sends the secret in place of the id, and most of it is to stay out of the log.
            _shown(guesser.client_id, 128 if known else 16),
            _shown(guesser.address, 64),
            self._throttle.failed(guesser),
            self._throttle.wait(guesser),
        )

    async def _granted(self, client: Client, asked: TokenRequest) -> Response:
        scope = _scope(client, asked.scope)
        claims = {
            **client.claims,
            "iss": self._issuer,
            "sub": client.subject.name,
            "team": client.subject.team,
            "aud": _audience(client, asked.audience),
            "client_id": client.client_id,
            "jti": secrets.token_urlsafe(16),
            **scope,
        }
        try:
            token = await asyncio.to_thread(self._keychain.sign, claims, client.ttl)
        except StoreError as error:
            logger.error("No token for client_id=%s: %s", client.client_id, error)
            raise unavailable(STORE_WAIT) from None
        logger.info(
            "Issued a token. client_id=%s sub=%s aud=%s jti=%s ttl=%d s",
            client.client_id,
            claims["sub"],
            claims["aud"],
            claims["jti"],
            client.ttl,
        )
        body = {"access_token": token, "token_type": "Bearer", "expires_in": client.ttl, **scope}
        return JSONResponse(body, headers=NO_STORE)


def _scope(client: Client, asked: str | None) -> dict[str, str]:
    """The member `scope` of the token and the answer; none where the client has no scopes, for an empty one is no scope."""
    if asked is None:
        return {"scope": " ".join(client.scopes)} if client.scopes else {}
    scopes = tuple(dict.fromkeys(asked.split(" ")))
    if not set(scopes) <= set(client.scopes):
        raise TokenError("invalid_scope", _choice("scope", client.scopes))
    return {"scope": " ".join(scopes)}


def _audience(client: Client, asked: str | None) -> str:
    audience = asked or client.audiences[0]
    if audience not in client.audiences:
        raise TokenError("invalid_target", _choice("audience", client.audiences))
    return audience


def _choice(parameter: str, values: tuple[str, ...]) -> str:
    """Said to a client that has shown its secret, of what is its own."""
    allowed = f"Ask for what it may have ({' '.join(values)}), or leave" if values else "Leave"
    return f"The client may not have this {parameter}. {allowed} {parameter} out."


def _shown(text: str, most: int) -> str:
    """For a line of the log, of which a stranger must not make two."""
    return ascii(text[:most])
