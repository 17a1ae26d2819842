"""Where a task comes from: on whose behalf it runs, and which agents stand above it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Lineage:
    """`user` is the inbound `x-user-id`, empty where nobody is named. `root_context` is the context in which the user speaks.

    `path` are the agents above, the first one first. `allowance` is in tokens, None where the caller sets no bound.
    """

    user: str = ""
    root_context: str = ""
    path: tuple[str, ...] = ()
    traceparent: str = ""
    allowance: int | None = None
