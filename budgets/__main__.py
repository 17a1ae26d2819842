"""`budgets` serves; `budgets status` and `budgets reset TEAM` talk to one that does."""

import argparse
import asyncio
import contextlib
import logging

import uvloop

from budgets.app import create_app
from budgets.config import Settings
from budgets.engine import Engine
from budgets.operate import check, reset, status
from budgets.ratelimit import RateLimitService, grpc_server
from budgets.reload import PolicyFile
from budgets.store import Store, StoreAway
from service import http
from service.environment import parser_for, read_environment
from service.logs import configure_logging
from service.rate_limit_config import PolicyError

log = logging.getLogger("budgets")

GRACE = 5
"""Seconds that running gRPC calls get after SIGTERM."""


def main() -> None:
    parser = parser_for(Settings, "budgets", "The budget service, and what an operator asks of it.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("serve", help="serve the rate-limit API and HTTP (the default)")
    commands.add_parser("check", help="say whether a policy file is good").add_argument("file", help="a RateLimitConfig file")
    for_running = argparse.ArgumentParser(add_help=False)
    for_running.add_argument(
        "--url", help="the service's HTTP port; default: $BUDGETS_URL, else http://127.0.0.1:8084", default=None
    )
    commands.add_parser("status", help="what every budget has used", parents=[for_running])
    resetting = commands.add_parser("reset", help="empty the budgets of a team", parents=[for_running])
    resetting.add_argument("team")
    arguments = parser.parse_args()
    match arguments.command:
        case "status":
            status(arguments.url)
        case "reset":
            reset(arguments.url, arguments.team)
        case "check":
            check(arguments.file)
        case _:
            uvloop.run(serve(read_environment(Settings)))


async def serve(settings: Settings) -> None:
    configure_logging(settings.log_level)
    try:
        policy_file = PolicyFile(settings.policy, settings.in_force)
    except PolicyError as error:
        raise SystemExit(f"The budget policy cannot be used. {error}") from None
    store = Store.connect(settings.store.get_secret_value(), settings.domain, settings.store_timeout)
    engine = Engine(
        lambda: policy_file.policy,
        store,
        admits_uncovered=settings.unmatched == "admit",
        charge_patience=settings.charge_patience,
    )
    server = grpc_server(RateLimitService(engine, settings.domain), settings.host, settings.grpc_port)
    listening = http.listen(settings.host, settings.http_port, "BUDGETS_HTTP_PORT")
    with contextlib.suppress(StoreAway):  # logged by the store; the service waits for it
        await store.ping()
    if risks := await store.risks():
        log.warning("the store may lose charges when it is killed or full, because it is set to %s", ", ".join(risks))
    await server.start()
    watching = asyncio.create_task(policy_file.watch())
    for budget in policy_file.policy.fixed_budgets():
        log.info("budget %s: %s tokens", budget.id, f"{budget.limit:,}")
    await http.server(create_app(engine, store, policy_file)).serve(sockets=[listening])
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    await server.stop(GRACE)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(engine.drain(), GRACE)
    await store.close()


if __name__ == "__main__":
    main()
