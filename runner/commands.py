"""The runner's command line."""

import argparse
import asyncio
import sys
from pathlib import Path

from runner.addresses import NoSystemError
from runner.chat import NoSuchAgentError, chat
from runner.config import PROJECT, Settings
from runner.errors import ProgramError
from runner.lock import AlreadyRunningError
from runner.operate import operate
from runner.play import play
from runner.policy_check import WrongPolicyError
from runner.ports import NoPortError
from runner.up import up
from service.environment import read_environment
from service.teams import TeamsError

SAYS_IT_ALL = (AlreadyRunningError, NoPortError, NoSuchAgentError, NoSystemError, ProgramError, TeamsError, WrongPolicyError)


def main() -> None:
    try:
        sys.exit(_run(_parser().parse_args()))
    except SAYS_IT_ALL as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        raise SystemExit(f"{what}. Name a place that this user may write to: --state for `up`, TMPDIR for `demo`.") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _run(asked: argparse.Namespace) -> int:
    match asked.command:
        case "up":
            asyncio.run(up(asked.state, read_environment(Settings), asked.seed))
        case "demo":
            return 0 if asyncio.run(play(read_environment(Settings), asked.seed)) else 1
        case "chat":
            chat(asked.state, asked.agent)
        case "status":
            return operate(asked.state, "status")
        case "reset":
            return operate(asked.state, "reset", asked.team)
        case "raise":
            return operate(asked.state, "raise", asked.budget, asked.limit, "--windows", str(asked.windows))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="runner", description="Run the whole system on this machine.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    seed = argparse.ArgumentParser(add_help=False)
    seed.add_argument("--seed", type=int, help="make what the mock LLM answers repeatable")
    state = argparse.ArgumentParser(add_help=False)
    state.add_argument("--state", type=Path, default=PROJECT / ".state", help="the folder of key, tokens and counters")
    commands.add_parser("up", help="start everything and leave it running", parents=[seed, state])
    commands.add_parser("demo", help="start everything, play the story in four scenes, stop", parents=[seed])
    talking = commands.add_parser("chat", help="talk to an agent of the running system", parents=[state])
    talking.add_argument("--agent", required=True, help="for example dba-agent")
    commands.add_parser("status", help="what every team of the running system has used", parents=[state])
    resetting = commands.add_parser("reset", help="empty the budgets of a team of the running system", parents=[state])
    resetting.add_argument("team", help="for example dba")
    raising = commands.add_parser("raise", help="give a budget of the running system another limit", parents=[state])
    raising.add_argument("budget", help="for example team-token-budget/dba/hour")
    raising.add_argument("limit", help="in tokens, or in dollars for a budget in dollars")
    raising.add_argument("--windows", type=int, default=1, help="for how many windows, with the one that runs; default: 1")
    return parser
