"""`chat`: talk to an agent of the running system from the terminal."""

from pathlib import Path

from runner.system import Addresses
from runner.talk import Agent
from runner.up import ADDRESSES


class NoSuchAgentError(Exception):
    """The agent cannot be found; the text names what there is and the remedy."""


async def chat(folder: Path, name: str) -> None:
    """One conversation, until the input ends. Raises NoSuchAgentError and NoAgentError."""
    async with Agent(_find(folder, name)) as agent:
        print(f"You talk to {name}. End with Ctrl-D.")
        context_id: str | None = None
        while (text := _read()) is not None:
            if text:
                reply = await agent.ask(text, context_id)
                context_id = reply.context_id
                print(f"{name}> {reply.text}\n")


def _find(folder: Path, name: str) -> str:
    try:
        agents = Addresses.read(folder / ADDRESSES).agents
    except OSError:
        raise NoSuchAgentError(f"No system runs on {folder}: start one with `make up` in another terminal.") from None
    if name not in agents:
        raise NoSuchAgentError(f"There is no agent named {name!r}. Running: {', '.join(agents)}.")
    return agents[name]


def _read() -> str | None:
    """None at the end of the input. Blocking is right here: nothing else waits in this process."""
    try:
        return input("you> ").strip()
    except EOFError:
        print()
        return None
