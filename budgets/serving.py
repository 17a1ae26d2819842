"""Puts the service together, and runs it until SIGTERM or SIGINT."""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from budgets.app import create_app
from budgets.callers import create_caller_app
from budgets.charging import Charging
from budgets.config import Settings
from budgets.documents.errors import PolicyError
from budgets.engine import Behaviour, Engine
from budgets.estimates import Estimates
from budgets.grpc_server import grpc_server
from budgets.metrics import Metrics
from budgets.overview import Overview
from budgets.ratelimit import RateLimitService
from budgets.reload import PolicyFile
from budgets.startup import say_budgets
from budgets.stores.store import StoreAway
from budgets.stores.valkey import ValkeyStore
from budgets.virtual_keys.authorization import AuthorizationService
from service import http
from service.logs import configure_logging

log = logging.getLogger("budgets")

GRACE = 4
"""Seconds that running gRPC calls and charges get after SIGTERM; the local runner kills after 5."""

SWEEP = 1.0
"""Seconds between looks for reservations that have lapsed and for limits that were raised."""


async def serve(settings: Settings) -> None:
    configure_logging(settings.log_level)
    try:
        policy_file = PolicyFile(settings.policy, settings.domain, settings.in_force)
    except PolicyError as error:
        raise SystemExit(f"The budget policy cannot be used. {error}") from None
    metrics = Metrics()
    store = ValkeyStore.connect(settings.store.get_secret_value(), settings.domain, settings.store_timeout, metrics)
    engine = _engine(settings, policy_file, store, metrics)
    overview = Overview(lambda: policy_file.rules, store, engine.raises)
    handlers = [
        RateLimitService(engine, settings.domain).method_handlers(),
        AuthorizationService(lambda: policy_file.rules.keys).method_handlers(),
    ]
    server = grpc_server(handlers, settings.host, settings.grpc_port)
    operators = http.listen(settings.host, settings.http_port, "BUDGETS_HTTP_PORT")
    callers = http.listen(settings.host, settings.balance_port, "BUDGETS_BALANCE_PORT")
    await _look_at(store)
    await server.start()
    say_budgets(policy_file.rules, settings.models)
    # What is there now stays; the collector need not look at it again while calls wait.
    gc.collect()
    gc.freeze()
    async with _beside(policy_file.watch, lambda: _sweep(engine)):
        await http.serve_together(
            (create_app(overview, store, policy_file, metrics), operators),
            (create_caller_app(overview, time.time), callers),
        )
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await server.stop(GRACE)
            await engine.drain()
    await store.close()


def _engine(settings: Settings, policy_file: PolicyFile, store: ValkeyStore, metrics: Metrics) -> Engine:
    behaviour = Behaviour(
        admits_uncovered=settings.unmatched == "admit",
        fails_open=settings.fail_open,
        burst=settings.burst,
        reservation_life=settings.reservation_timeout,
    )
    charging = Charging(store, settings.charge_patience)
    estimates = Estimates(first=settings.first_estimate)
    return Engine(lambda: policy_file.rules, store, charging, metrics, behaviour=behaviour, estimates=estimates)


async def _look_at(store: ValkeyStore) -> None:
    with contextlib.suppress(StoreAway):  # logged by the store; the service waits for it
        await store.ping()
    if risks := await store.risks():
        log.warning("the store may lose charges when it is killed or full, because it is set to %s", ", ".join(risks))


async def _sweep(engine: Engine) -> None:
    while True:
        with contextlib.suppress(StoreAway):  # logged by the store
            await engine.expire()
            await engine.raises.load()
        await asyncio.sleep(SWEEP)


@contextlib.asynccontextmanager
async def _beside(*works: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Work that goes on until the block ends. Its own end before that is a fault, and the log says so."""
    tasks = [asyncio.ensure_future(work()) for work in works]
    for task in tasks:
        task.add_done_callback(_say_fault)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _say_fault(task: "asyncio.Future[None]") -> None:
    if not task.cancelled() and (error := task.exception()):
        log.critical("a part of the service has stopped: restart it", exc_info=error)
