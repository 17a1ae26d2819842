"""Logs on standard error: one line an event, UTC, for a person to read, or as JSON for a collector."""

import json
import logging
import time
from typing import Any

from service.environment import SharedSettings, read_environment

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def configure_logging(level: str = "INFO") -> None:
    """Raises SystemExit where LOG_FORMAT is wrong."""
    as_json = read_environment(SharedSettings).log_format == "json"
    formatter = _JsonFormatter() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", _TIME)
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # These say at each start and request what the services and the gateway's access log say better.
    for chatty in ("httpx", "httpcore", "a2a", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class _JsonFormatter(logging.Formatter):
    """One object a line; what stands in a call's `extra` becomes members of it."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {name: value for name, value in vars(record).items() if name not in _OWN}
        said |= {
            "time": self.formatTime(record, _TIME),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str, ensure_ascii=False)
