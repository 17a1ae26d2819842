"""Keeps the token files fresh for as long as the issuer runs."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from jwt_issuer.tokens import TokenFiles

logger = logging.getLogger(__name__)

LONGEST_SLEEP = 30.0
"""Seconds. A machine that was suspended, or whose clock was set, finds its tokens renewed that soon after."""


@dataclass
class Renewal:
    """Mints at half of the tokens' time to live, so that a file is always good for the other half.

    `clock` tells seconds since 1970. `sleep` takes seconds.
    """

    files: TokenFiles
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _minted_at: float = field(default=float("-inf"), init=False)

    def renew(self) -> None:
        """Write all tokens now. Raises OSError."""
        now = self.clock()
        self.files.write(now)
        self._minted_at = now
        logger.info("Wrote %d tokens to %s, valid for %d s.", len(self.files.subjects), self.files.folder, self._ttl)

    async def run(self) -> None:
        """Renew whenever it is time, for ever. What fails is logged, and tried again at the next look at the clock."""
        while True:
            await self.sleep(min(LONGEST_SLEEP, self._ttl / 2))
            if not self._is_due():
                continue
            try:
                await asyncio.to_thread(self.renew)
            except Exception as error:
                # Whatever it is: if this task ended, nobody would notice until the tokens expire.
                logger.error("The tokens could not be renewed, which will be tried again: %s", error)

    @property
    def _ttl(self) -> int:
        return self.files.mint.ttl

    def _is_due(self) -> bool:
        """Also when the clock has been set back, which leaves tokens on disk that are not valid yet."""
        return not 0 <= self.clock() - self._minted_at < self._ttl / 2
