"""Keeps the policy in force equal to the policy file: a good edit is taken up, a bad one is refused and said."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path

from budgets.engine import Engine
from budgets.policy import Policy
from service.rate_limit_config import PolicyError

log = logging.getLogger("budgets")

INTERVAL = 0.5
"""Seconds between looks. Polling also sees what a notification misses: the swapped symbolic links of a ConfigMap."""


class PolicyFile:
    def __init__(self, file: Path, engine: Engine) -> None:
        self._file = file
        self._engine = engine
        self._seen = self._content()
        self.loaded_at = datetime.now(UTC)
        self.error: str | None = None
        """Why the file as it stands is not in force; None when it is."""

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            self.look()

    def look(self) -> None:
        content = self._content()
        if content == self._seen:
            return
        self._seen = content
        try:
            self._engine.policy = Policy.read(self._file)
        except PolicyError as error:
            self.error = str(error)
            log.error("kept the last good policy: %s", error)
        else:
            self.error = None
            self.loaded_at = datetime.now(UTC)
            log.info("took up the changed policy %s", self._file)

    def _content(self) -> bytes | None:
        try:
            return self._file.read_bytes()
        except OSError:
            return None
