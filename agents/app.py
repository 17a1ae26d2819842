"""The A2A server: JSON-RPC and HTTP+JSON, 1.0 and 0.3, all from the root path."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agents.body_limit import BodyLimit
from agents.card import build_card
from agents.config import Settings
from agents.executor import LAST_WORDS, Executor
from agents.graph import GraphBuilder, build_graph
from agents.llm import GatewayLLM
from agents.memory import Conversations, ConversationSaver
from agents.shutdown import GRACE, on_sigterm
from agents.tasks import BoundedTaskStore, BusyTaskRefused
from agents.turn import check_graph


def create_app(settings: Settings, graph: GraphBuilder = build_graph, llm: GatewayLLM | None = None) -> Starlette:
    """The agent of one team. `graph` is where an agent developer puts their own; `llm` is for tests.

    Raises GraphError where the graph cannot be served.
    """
    llm = llm or GatewayLLM(settings)
    checkpointer = ConversationSaver()
    compiled = graph(llm, team=settings.identity.team, system_prompt=settings.system_prompt, checkpointer=checkpointer)
    check_graph(compiled, checkpointer)
    executor = Executor(Conversations(compiled, checkpointer))
    card = build_card(settings)
    tasks = BoundedTaskStore()
    handler = DefaultRequestHandler(
        agent_executor=executor,
        task_store=tasks,
        agent_card=card,
        request_context_builder=BusyTaskRefused(tasks),
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        draining: list[asyncio.Task[None]] = []

        def drain() -> None:
            if not draining:
                draining.append(asyncio.create_task(executor.drain(GRACE)))

        on_sigterm(drain)
        yield
        drain()
        await draining[0]
        await handler.aclose()
        await llm.aclose()

    # A stream lives on until its task has ended, or has said that it failed.
    stream_grace = GRACE + LAST_WORDS
    routes = [
        Route("/health", health),
        *create_agent_card_routes(card),
        *create_jsonrpc_routes(handler, "/", enable_v0_3_compat=True, shutdown_grace_period=stream_grace),
        # Last, for it ends in a catch-all.
        *create_rest_routes(handler, enable_v0_3_compat=True, shutdown_grace_period=stream_grace),
    ]
    return Starlette(routes=routes, middleware=[Middleware(BodyLimit)], lifespan=lifespan)


async def health(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})
