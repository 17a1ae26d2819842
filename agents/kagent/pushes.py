"""What of a saved task kagent's controller is told."""

from a2a.server.context import ServerCallContext
from a2a.types import Task

from agents.kagent.controller import Controller
from agents.storage.store import Saved, nobody


def pusher(controller: Controller | None) -> Saved:
    """Of the call it takes whose task it is, and whether an agent has sent it."""
    if controller is None:
        return nobody

    def push(task: Task, call: ServerCallContext) -> None:
        source = call.state.get("headers", {}).get("x-kagent-source", "")
        controller.push(task, call.user.user_name, source)

    return push
