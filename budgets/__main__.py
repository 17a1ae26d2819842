"""`budgets` serves; its other commands talk to one that does, or look at a policy beforehand."""

import argparse
from pathlib import Path

from budgets.config import Settings
from budgets.operate import raise_limit, reset, status
from service.environment import parser_for, read_environment


def main() -> None:
    """The parts that take a second to import are imported where they are used, for `status` needs none of them."""
    arguments = _parser().parse_args()
    match arguments.command:
        case "status":
            status(arguments.url)
        case "reset":
            reset(arguments.url, arguments.team, arguments.budget)
        case "raise":
            raise_limit(arguments.url, arguments.budget, arguments.limit, arguments.windows)
        case "check":
            from budgets.checking import check

            check(arguments.policy, arguments.domain)
        case "simulate":
            from budgets.simulation.simulate import simulate

            simulate(arguments.policy, arguments.log, arguments.domain)
        case _:
            import uvloop

            from budgets.serving import serve

            uvloop.run(serve(read_environment(Settings)))


def _parser() -> argparse.ArgumentParser:
    parser = parser_for(Settings, "budgets", "The budget service, and what an operator asks of it.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("serve", help="serve the rate-limit API and HTTP (the default)")
    _add_offline(commands)
    running = argparse.ArgumentParser(add_help=False)
    running.add_argument(
        "--url", help="the service's HTTP port; default: $BUDGETS_URL, else http://127.0.0.1:8084", default=None
    )
    commands.add_parser("status", help="what every budget has used", parents=[running])
    resetting = commands.add_parser("reset", help="empty the budgets of a team, or one budget", parents=[running])
    which = resetting.add_mutually_exclusive_group(required=True)
    which.add_argument("team", nargs="?")
    which.add_argument("--budget", metavar="ID", help="a budget's id, as `status` lists it")
    raising = commands.add_parser("raise", help="give a budget another limit for some windows", parents=[running])
    raising.add_argument("budget", metavar="ID", help="a budget's id, as `status` lists it")
    raising.add_argument("limit", help="in tokens, or in dollars for a budget in dollars")
    raising.add_argument("--windows", type=int, default=1, help="for how many windows, with the one that runs; default: 1")
    return parser


def _add_offline(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    checking = commands.add_parser("check", help="say whether a policy is good")
    checking.add_argument("policy", type=Path, help="a file or a folder of policy documents")
    checking.add_argument(
        "--domain", help="the rate-limit domain that is served; default: $BUDGETS_DOMAIN, else agentic-budgets"
    )
    simulating = commands.add_parser("simulate", help="which calls of a past day a policy would have refused")
    simulating.add_argument("--policy", type=Path, required=True, help="a file or a folder of policy documents")
    simulating.add_argument(
        "--from", dest="log", type=Path, required=True, help="the gateway's access log; - for standard input"
    )
    simulating.add_argument("--domain", help="the rate-limit domain that plain ratelimit files must have; default: any")


if __name__ == "__main__":
    main()
