"""Names of dimensions that a policy uses and our gateway does not send, or not of itself."""

from collections.abc import Iterable, Iterator

from budgets.documents.descriptors import Descriptor, TreeDocument
from budgets.documents.found import Location
from budgets.documents.reading import Documents
from budgets.documents.stamped import is_dimension

SENT = frozenset({"team", "user", "user_id", "virtualKey", "model", "group", "tier", "tenant_id"})
"""What our gateway sends as it is set up by itself; `user_id` is another name of `user`."""


def beyond_our_gateway(documents: Documents) -> Iterator[str]:
    """A sentence for each key that no header can carry, or that our gateway sends only when it is told to.

    A gateway that sends descriptors of its own may use them all the same.
    """
    for tree in documents.trees:
        for place, name in _named_by(tree):
            if reason := _unsent(name):
                yield str(tree.found.error(place, reason))
    for document in documents.budgets:
        for number, entry in enumerate(document.content.spec.budgets):
            for name in entry.subject:
                if reason := _unsent(name):
                    yield str(document.found.error(("spec", "budgets", number, "subject", name), reason))


def _unsent(name: str) -> str | None:
    """Why a call that our gateway describes has no such dimension; None where it has."""
    if name in SENT:
        return None
    return f"our gateway sends {name!r} only if GATEWAY_DIMENSIONS names it" if is_dimension(name) else _STRANGE


_STRANGE = (
    "this project's gateway has no dimension of that name, so only a gateway that sends descriptors of its own asks for it; "
    "use team, user, virtualKey, model or another name of lower-case letters, digits and '_'"
)


def _named_by(tree: TreeDocument) -> Iterator[tuple[Location, str]]:
    """The dimensions of the actions where there are some; else each key stands for one."""
    if not tree.asked:
        yield from _keys(tree.descriptors, tree.location)
    for number, actions in enumerate(tree.asked):
        for step, action in enumerate(actions):
            if action.dimension:
                yield ("spec", "raw", "rateLimits", number, "actions", step), action.dimension


def _keys(descriptors: Iterable[Descriptor], location: Location) -> Iterator[tuple[Location, str]]:
    for number, descriptor in enumerate(descriptors):
        yield (*location, number, "key"), descriptor.key
        if is_dimension(descriptor.key):
            yield from _keys(descriptor.descriptors, (*location, number, "descriptors"))
