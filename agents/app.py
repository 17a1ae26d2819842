"""The A2A server: JSON-RPC and HTTP+JSON, 1.0 and 0.3, all from the root path."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import httpx
from a2a.server.context import ServerCallContext
from a2a.server.routes import create_agent_card_routes
from a2a.types import Task
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agents.budget.balance import Balance
from agents.config import Settings
from agents.conversations import Conversations
from agents.graph import build_graph
from agents.kagent.controller import connect
from agents.kagent.headers import caller_of
from agents.kagent.pushes import pusher
from agents.kit import GraphBuilder, Kit
from agents.llm.call import GatewayLLM
from agents.llm.connection import Connection
from agents.llm.ladder import Ladder
from agents.llm.meter import LastMeter
from agents.peers.calls import CallablePeers
from agents.server.admission import Admission
from agents.server.body_limit import BodyLimit
from agents.server.callers import Callers, NamedUser
from agents.server.card import build_card
from agents.server.endpoints import a2a_routes
from agents.server.executor import LAST_WORDS, Executor
from agents.server.handler import DiscreetHandler
from agents.storage.store import Saved, Storage
from agents.turn import check_graph

log = logging.getLogger(__name__)

SWEEP = 60
"""Seconds between two sweeps of the storage."""

PARKED = 600
"""Seconds after which the SDK lets go of a task that waits for its user; no task of ours does."""


class Agent(NamedTuple):
    """`drain` begins the shutdown: running tasks get `SHUTDOWN_GRACE` seconds to end."""

    app: Starlette
    drain: Callable[[], object]


def create_agent(
    settings: Settings,
    storage: Storage,
    graph: GraphBuilder = build_graph,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Agent:
    """The agent of one team. `graph` is where an agent developer puts their own; `transport` is for tests.

    Raises GraphError where the graph cannot be served.
    """
    connection = Connection(settings, transport)
    caller = caller_of(settings)
    peers = CallablePeers(
        settings.callable_peers,
        max_hops=settings.max_hops,
        timeout=settings.peer_timeout,
        to_controller=caller.headers if caller else None,
    )
    compiled = graph(_kit(settings, storage, connection, peers))
    check_graph(compiled, storage.checkpointer)
    executor = Executor(Conversations(compiled, storage), settings.full_name, settings.max_hops)
    card = build_card(settings)
    handler = DiscreetHandler(
        agent_executor=executor,
        task_store=storage.tasks,
        event_stream=storage.events,
        agent_card=card,
        request_context_builder=Admission(storage),
        validate_input_modes=True,
        interrupted_task_timeout=PARKED,
    )
    storage.on_cancelled(executor.stop)
    draining: list[asyncio.Task[None]] = []

    def drain() -> None:
        if not draining:
            draining.append(asyncio.create_task(executor.drain(settings.shutdown_grace)))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        controller = connect(settings)
        push = pusher(controller)

        def saved(task: Task, call: ServerCallContext) -> None:
            executor.saved(task)
            push(task, call)

        storage.on_saved(saved)
        sweeping = asyncio.create_task(_sweep_on(storage, push))
        yield
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping
        drain()
        await draining[0]
        try:
            # It may wait for listeners that have hung up.
            await asyncio.wait_for(handler.aclose(), LAST_WORDS)
        except TimeoutError:
            log.warning("The A2A server did not close its tasks within %d s.", LAST_WORDS)
        await _sweep(storage, push, leaving=True)
        if controller:
            await controller.aclose(LAST_WORDS)
        await peers.aclose()
        await connection.aclose()

    # A stream lives on until its task has ended, or has said that it failed.
    routes = [
        Route("/health", health),
        *create_agent_card_routes(card),
        # Last, for they end in a catch-all.
        *a2a_routes(handler, Callers(), settings.shutdown_grace + LAST_WORDS),
    ]
    return Agent(Starlette(routes=routes, middleware=[Middleware(BodyLimit)], lifespan=lifespan), drain)


def _kit(settings: Settings, storage: Storage, connection: Connection, peers: CallablePeers) -> Kit:
    last_meter = LastMeter()
    ladder = Ladder(settings.llm_cheaper_model) if settings.budget_ladder else None
    llm = GatewayLLM(connection, settings.llm_model, last_meter=last_meter, stream=settings.llm_stream, ladder=ladder)
    return Kit(
        call_llm=llm,
        peers=peers,
        budget=Balance(connection, last_meter),
        team=settings.identity.team,
        system_prompt=settings.system_prompt,
        checkpointer=storage.checkpointer,
        longest_wait=settings.budget_longest_wait if settings.on_budget_exhausted == "wait" else 0,
    )


async def _sweep_on(storage: Storage, tell: Saved) -> None:
    """At once, for what was unfinished at the start has failed and is to be told, and then from time to time."""
    while True:
        await _sweep(storage, tell)
        await asyncio.sleep(SWEEP)


async def _sweep(storage: Storage, tell: Saved, leaving: bool = False) -> None:
    try:
        for owner, task in await storage.sweep(leaving):
            tell(task, ServerCallContext(user=NamedUser(owner)))
    except Exception:
        # The database may be away; the next sweep finds what this one would have.
        log.exception("What is old could not be forgotten.")


async def health(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})
