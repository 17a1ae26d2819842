"""Tasks on their way to kagent's controller, behind the agent's back: whoever pushes neither waits nor hears of trouble."""

import asyncio
import logging
import time
from collections.abc import Callable

import httpx
from a2a.types import Task
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from agents.config import Settings
from agents.kagent.api import AwayError, ControllerApi, RefusedError
from agents.kagent.headers import caller_of
from agents.kagent.pending import Pending, Push

log = logging.getLogger(__name__)

MOST_PENDING = 1000
MOST_AT_ONCE = 4
PATIENCE = 600
"""Seconds after which a push that the controller could not take is given up."""

LAST_PAUSE = 0.2
"""Seconds between two tries once the agent ends."""

_pause = wait_random_exponential(multiplier=0.5, max=30)


class Controller:
    """Keeps the last version of each task and pushes it until it is stored, refused, or too old."""

    def __init__(
        self,
        api: ControllerApi,
        most: int,
        pause: Callable[[RetryCallState], float],
        clock: Callable[[], float],
    ) -> None:
        self._api = api
        self._pending = Pending(most)
        self._pause = pause
        self._clock = clock
        self._couriers: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self._away = False
        self._lost = 0
        self._closed = False

    def push(self, task: Task, user: str, source: str = "") -> None:
        """Takes a copy and returns. `user` and `source` are what the caller's `x-user-id` and `x-kagent-source` said.

        Worth it when a task is made, when its state changes, and when a message of it is whole; not for pieces of one.
        """
        if self._closed:
            return
        copy = Task()
        copy.CopyFrom(task)
        if not self._pending.put(Push(copy, user, source, self._clock())):
            self._lose("more tasks wait for it than are kept")
        if len(self._couriers) < MOST_AT_ONCE:
            self._couriers.add(asyncio.create_task(self._carry()))

    @property
    def busy(self) -> bool:
        """Whether anything is still to be pushed."""
        return bool(self._couriers)

    async def aclose(self, seconds: float) -> None:
        """Pushes what is left, for so long at most."""
        self._closing.set()
        if self._couriers:
            await asyncio.wait(set(self._couriers), timeout=seconds)
        unfinished = len(self._couriers) + len(self._pending)
        late = set(self._couriers)
        for courier in late:
            courier.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        self._couriers.clear()
        self._closed = True
        await self._api.aclose()
        if unfinished:
            log.warning("kagent's controller was not told of the last %d tasks: it did not take them in time.", unfinished)

    async def _carry(self) -> None:
        while push := self._pending.take():
            try:
                await self._deliver(push)
            except AwayError:
                self._lose("it was away for too long")
            except RefusedError as error:
                log.warning("kagent's controller refused task %s: %s.", push.task.id, error)
            except Exception:
                log.exception("Task %s cannot be pushed to kagent's controller.", push.task.id)
            finally:
                self._pending.done(push)
        # Not in a callback: a push that comes before it would find no courier free, and start none.
        self._couriers = {courier for courier in self._couriers if courier is not asyncio.current_task()}

    async def _deliver(self, push: Push) -> None:
        """Raises AwayError once `push` is too old, and RefusedError."""
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(AwayError),
            stop=lambda _: self._clock() - push.since > PATIENCE,
            wait=self._pause,
            sleep=self._nap,
            reraise=True,
        )
        async for attempt in attempts:
            with attempt:
                push = self._pending.newer(push)
                try:
                    await self._api.store(push)
                except AwayError as error:
                    self._note_away(error)
                    raise
                self._note_back()

    async def _nap(self, seconds: float) -> None:
        """Ends early when the agent does."""
        if self._closing.is_set():
            await asyncio.sleep(min(seconds, LAST_PAUSE))
            return
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return

    def _note_away(self, error: AwayError) -> None:
        if not self._away:
            log.warning("kagent's controller is away (%s). Tasks run on, and it is told when it is back.", error)
        self._away = True

    def _note_back(self) -> None:
        if self._away:
            log.info("kagent's controller is back; %d versions of tasks were given up meanwhile.", self._lost)
        if self._away or not len(self._pending):
            self._lost = 0
        self._away = False

    def _lose(self, why: str) -> None:
        if not self._lost:
            log.warning("kagent's controller is not told of some tasks: %s. Their history in kagent's UI is not whole.", why)
        self._lost += 1


def connect(
    settings: Settings,
    most: int = MOST_PENDING,
    pause: Callable[[RetryCallState], float] = _pause,
    clock: Callable[[], float] = time.monotonic,
) -> Controller | None:
    """None outside of kagent."""
    caller = caller_of(settings)
    if caller is None:
        return None
    http = httpx.AsyncClient(
        base_url=str(settings.kagent_url),
        timeout=httpx.Timeout(10, connect=3),
        limits=httpx.Limits(max_connections=MOST_AT_ONCE),
        # A proxy from the environment would be handed the agent's token.
        trust_env=False,
    )
    return Controller(ControllerApi(http, caller), most, pause, clock)
