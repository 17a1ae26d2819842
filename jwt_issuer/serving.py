"""The issuer as a process: it serves, and keeps keys and tokens up meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname

from fastapi import FastAPI

from jwt_issuer.app import Stopping, create_app
from jwt_issuer.config import Settings
from jwt_issuer.folder import FolderLeadership, KeyFolder, TokenFolder
from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.metrics import Metrics
from jwt_issuer.oauth.client_file import ClientFile
from jwt_issuer.oauth.clients import Terms
from jwt_issuer.stores import KeyStore, Leadership, TokenStore
from jwt_issuer.tokens import Mint, Subject, subjects_of
from jwt_issuer.upkeep import Upkeep
from service.http import listen, serve_until_signal
from service.teams import read_teams


@dataclass(frozen=True)
class Place:
    """Where the issuer keeps what it has."""

    keys: KeyStore
    tokens: TokenStore
    leadership: Leadership


def open_place(settings: Settings) -> Place:
    """Raises StoreError."""
    if settings.namespace is not None:
        # The official client takes half a second to import, and only a cluster has need of it.
        from jwt_issuer.cluster import open_cluster  # noqa: PLC0415

        cluster = open_cluster(settings.namespace, settings.agents_namespace, settings.identity or gethostname())
        return Place(cluster.keys, cluster.tokens, cluster.lease)
    state = settings.state or Path()
    return Place(KeyFolder(state), TokenFolder(state), FolderLeadership(state))


def mint_of(settings: Settings, keychain: Keychain) -> Mint:
    return Mint(keychain, settings.issuer, settings.audience, settings.ttl)


def read_subjects(settings: Settings) -> tuple[Subject, ...]:
    """Raises TeamsError."""
    return subjects_of(read_teams(settings.teams))


def serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT. Raises StoreError, TeamsError and ClientsError, before it serves."""
    subjects = read_subjects(settings)
    clients = _clients(settings, subjects)
    place = open_place(settings)
    # The address first: a second issuer that cannot have it must leave the first one's keys and tokens alone.
    listening = listen(settings.host, settings.port, "JWT_ISSUER_PORT")
    keychain = Keychain(place.keys, overlap=settings.overlap)
    upkeep = Upkeep(
        keychain,
        place.tokens,
        mint_of(settings, keychain),
        subjects,
        place.leadership,
        settings.overlap,
        rotate_every=settings.rotate_every,
    )
    if settings.namespace is None:
        # Whoever finds a local issuer healthy finds the tokens. In a cluster one Secret must not keep the keys from all.
        upkeep.look()
    stopping = Stopping()
    app = create_app(settings, keychain, clients, Metrics(upkeep), stopping, lifespan=_kept_up(upkeep, place))
    serve_until_signal(app, listening, stopping.begin)


def _clients(settings: Settings, subjects: tuple[Subject, ...]) -> ClientFile | None:
    if settings.clients is None:
        return None
    return ClientFile(settings.clients, Terms(subjects, settings.audience, settings.client_ttl, settings.longest_ttl))


def _kept_up(upkeep: Upkeep, place: Place) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(upkeep.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await asyncio.to_thread(place.leadership.release)

    return lifespan
