"""Start one team's agent from its environment, with this project's graph or with one of your own."""

import asyncio
import logging
import os
import resource
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import uvloop

from agents.config import Settings
from agents.identity import Identity
from service.environment import parser_for, read_environment
from service.http import listen, serve_together
from service.logs import configure_logging

if TYPE_CHECKING:
    from agents.kit import GraphBuilder

log = logging.getLogger("agents")


def serve_agent(graph: "GraphBuilder | None" = None) -> None:
    """Serves until SIGTERM or SIGINT. Raises SystemExit, in a sentence, where the environment or the graph cannot be used."""
    # The SDK reads it when it is imported; its spans go nowhere here and cost a fifth of the speed.
    os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")
    parser_for(Settings, "agents", "One team's budget-aware agent, served over A2A.").parse_args()
    settings = read_environment(Settings)
    configure_logging(settings.log_level)
    warn_if_expired(settings.identity, datetime.now(UTC))
    warn_if_half_of_kagent(settings)
    allow_many_connections()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, graph))


async def _serve(settings: Settings, graph: "GraphBuilder | None") -> None:
    # After the variable above, and after a wrong environment is told.
    from agents.app import create_agent  # noqa: PLC0415
    from agents.graph import build_graph  # noqa: PLC0415
    from agents.storage.open import open_storage  # noqa: PLC0415
    from agents.storage.store import Limits, StorageError  # noqa: PLC0415
    from agents.turn import GraphError  # noqa: PLC0415

    limits = Limits(settings.keep_tasks, settings.keep_tasks, settings.keep_days * 86_400)
    try:
        async with open_storage(settings.store, limits) as storage:
            agent = create_agent(settings, storage, graph or build_graph)
            listening = listen(settings.host, settings.port, "HOST or PORT")
            log.info(
                "%s of team %s serves A2A at %s and asks %s.",
                settings.name,
                settings.identity.team,
                settings.url,
                settings.llm_url,
            )
            await serve_together((agent.app, listening), on_stop=agent.drain)
    except GraphError as error:
        raise SystemExit(str(error)) from None
    except StorageError as error:
        raise SystemExit(f"AGENT_STORE cannot be used: {error}") from None


def allow_many_connections() -> None:
    """Each listener to a task holds two of the files that may be open; shells and containers often begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def warn_if_half_of_kagent(settings: Settings) -> None:
    if settings.kagent_url and not (settings.kagent_name and settings.kagent_namespace):
        log.warning("KAGENT_URL is set, but KAGENT_NAME or KAGENT_NAMESPACE is not: kagent is told of no task.")


def warn_if_expired(identity: Identity, now: datetime) -> None:
    if identity.expires_at and identity.expires_at <= now:
        log.warning(
            "LLM_JWT of team %s expired at %s: the gateway will refuse it. Mount a new token and restart the agent; "
            "where LLM_JWT_FILE names it, it is taken up without.",
            identity.team,
            identity.expires_at.isoformat(),
        )
