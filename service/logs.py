"""Logs on standard error: one line an event, UTC, for a person or a collector to read."""

import logging
import time


def configure_logging(level: str = "INFO") -> None:
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # These say at each start and request what the services and the gateway's access log say better.
    for chatty in ("httpx", "httpcore", "a2a", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
