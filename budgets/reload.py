"""Keeps the policy in force equal to the policy file: a good edit is taken up, a bad one is refused and said."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path

from budgets.policy import Policy
from service.rate_limit_config import PolicyError

log = logging.getLogger("budgets")

INTERVAL = 0.5
"""Seconds between looks. Polling also sees what a notification misses: the swapped symbolic links of a ConfigMap."""


class PolicyFile:
    """`policy` is the one in force. `in_force` is where a copy of it is kept, for the next start and for the gateway.

    Raises PolicyError where the file is wrong and no copy tells what was in force before.
    """

    def __init__(self, file: Path, in_force: Path | None = None) -> None:
        self._file = file
        self._copy = in_force
        self.error: str | None = None
        """Why the file as it stands is not in force; None when it is."""
        self._seen = self._content()
        before = Policy.read(in_force) if in_force and in_force.exists() else None
        if before is None:
            self._take_up(Policy.read(file))
        else:
            self.policy = before
            self.loaded_at = datetime.now(UTC)
            self._compare()

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            self.look()

    def look(self) -> None:
        content = self._content()
        if content != self._seen:
            self._seen = content
            self._compare()

    def _compare(self) -> None:
        try:
            policy = Policy.read(self._file)
            if policy.asked != self.policy.asked:
                reason = "have changed, but the gateway asks as before; start the whole system again to use them"
                raise PolicyError(self._file, "spec.raw.rateLimits", reason)
        except PolicyError as error:
            self.error = str(error)
            log.error("kept the last good policy: %s", error)
        else:
            self._take_up(policy)
            log.info("took up the policy %s", self._file)

    def _take_up(self, policy: Policy) -> None:
        self.policy = policy
        self.error = None
        self.loaded_at = datetime.now(UTC)
        if self._copy and self._seen is not None:
            self._keep_copy(self._copy, self._seen)

    def _keep_copy(self, copy: Path, content: bytes) -> None:
        beside = copy.with_suffix(".new")
        try:
            beside.write_bytes(content)
            beside.replace(copy)
        except OSError as error:
            log.error("%s, which BUDGETS_IN_FORCE names, cannot be written: %s", copy, error.strerror)

    def _content(self) -> bytes | None:
        try:
            return self._file.read_bytes()
        except OSError:
            return None
