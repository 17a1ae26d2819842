"""`python -m runner up | demo | chat`; the Makefile calls them."""

import argparse
import asyncio
import sys
from pathlib import Path

from runner.chat import NoSuchAgentError, chat
from runner.config import PROJECT, Settings
from runner.errors import ProgramError
from runner.lock import AlreadyRunningError
from runner.play import play
from runner.ports import NoPortError
from runner.up import up
from service.environment import read_environment
from service.teams import TeamsError


def main() -> None:
    arguments = _parser().parse_args()
    settings = read_environment(Settings)
    try:
        match arguments.command:
            case "up":
                asyncio.run(up(arguments.state, settings, arguments.seed))
            case "demo":
                sys.exit(0 if asyncio.run(play(settings, arguments.seed)) else 1)
            case "chat":
                chat(arguments.state, arguments.agent)
    except (AlreadyRunningError, NoPortError, NoSuchAgentError, ProgramError, TeamsError) as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


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
    return parser


if __name__ == "__main__":
    main()
