"""Start one team's agent from its environment, with this project's graph or with one of your own."""

import logging
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agents.config import Settings
from agents.identity import Identity
from service.environment import parser_for, read_environment
from service.http import serve
from service.logs import configure_logging

if TYPE_CHECKING:
    from agents.graph import GraphBuilder

log = logging.getLogger("agents")


def serve_agent(graph: "GraphBuilder | None" = None) -> None:
    """Serves until SIGTERM or SIGINT. Raises SystemExit, in a sentence, where the environment or the graph cannot be used."""
    # The SDK reads it when it is imported; its spans go nowhere here and cost a fifth of the speed.
    os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")
    parser_for(Settings, "agents", "One team's budget-aware agent, served over A2A.").parse_args()
    settings = read_environment(Settings)
    configure_logging(settings.log_level)
    warn_if_expired(settings.identity, datetime.now(UTC))

    # After the variable above, and after a wrong environment is told.
    from agents.app import create_app  # noqa: PLC0415
    from agents.graph import build_graph  # noqa: PLC0415
    from agents.turn import GraphError  # noqa: PLC0415

    try:
        app = create_app(settings, graph or build_graph)
    except GraphError as error:
        raise SystemExit(str(error)) from None
    log.info(
        "%s of team %s serves A2A at %s and asks %s.", settings.name, settings.identity.team, settings.url, settings.llm_url
    )
    serve(app, settings.host, settings.port, "HOST or PORT")


def warn_if_expired(identity: Identity, now: datetime) -> None:
    if identity.expires_at and identity.expires_at <= now:
        log.warning(
            "LLM_JWT of team %s expired at %s: the gateway will refuse it. Mount a new token and restart the agent.",
            identity.team,
            identity.expires_at.isoformat(),
        )
