"""`chat`: talk to an agent of the running system from the terminal."""

import asyncio
from pathlib import Path

from rich.text import Text

from runner.addresses import Addresses
from runner.talk import Agent, NoAgentError
from runner.terminal import console


class NoSuchAgentError(Exception):
    """The agent cannot be found; the text names what there is and the remedy."""


def chat(folder: Path, name: str) -> None:
    """One conversation, until the input ends. Raises NoSuchAgentError, NoSystemError and, on Ctrl-C, KeyboardInterrupt."""
    agent = Agent(_find(folder, name))
    # Input is read outside of the event loop, which would hold a Ctrl-C back until the next line.
    with asyncio.Runner() as runner:
        print(f"You talk to {name}. End with Ctrl-D.\n")
        context_id: str | None = None
        try:
            while (text := _read()) is not None:
                if text:
                    context_id = _say(runner, agent, text, context_id)
        finally:
            runner.run(agent.close())


def _say(runner: asyncio.Runner, agent: Agent, text: str, context_id: str | None) -> str | None:
    """The context to go on in. An agent that does not answer may be back for the next message."""
    shown: list[str] = []

    def show(said: str) -> None:
        shown.append(said)
        console().print(Text(f"\n{said}\n"))

    try:
        reply = runner.run(agent.ask(text, context_id, note=show))
    except NoAgentError as error:
        print(f"{error}\n")
        return context_id
    if reply.text not in shown:
        show(reply.text)
    return reply.context_id


def _find(folder: Path, name: str) -> str:
    """By the name of an agent of the running system, or by the address of any."""
    if name.startswith(("http://", "https://")):
        return name
    agents = Addresses.of_running(folder).agents
    if name not in agents:
        raise NoSuchAgentError(f"There is no agent named {name!r}. Running: {', '.join(agents)}.")
    return agents[name]


def _read() -> str | None:
    """None at the end of the input."""
    try:
        return input("you> ").strip()
    except EOFError:
        print()
        return None
