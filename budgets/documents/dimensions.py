"""Names of dimensions that a policy uses and our gateway cannot."""

from collections.abc import Iterable, Iterator

from budgets.documents.descriptors import Descriptor
from budgets.documents.found import Location
from budgets.documents.reading import Documents
from budgets.documents.stamped import is_dimension


def beyond_our_gateway(documents: Documents) -> Iterator[str]:
    """A sentence for each key that no header can carry. A gateway that sends descriptors of its own may use it all the same."""
    for tree in documents.trees:
        if not tree.asked:
            for place in _strange(tree.descriptors, tree.location):
                yield str(tree.found.error(place, _REASON))
    for document in documents.budgets:
        for number, entry in enumerate(document.content.spec.budgets):
            for name in entry.subject:
                if not is_dimension(name):
                    yield str(document.found.error(("spec", "budgets", number, "subject", name), _REASON))


_REASON = (
    "this project's gateway has no dimension of that name, so only a gateway that sends descriptors of its own asks for it; "
    "use team, user, virtualKey, model or another name of lower-case letters, digits and '_'"
)


def _strange(descriptors: Iterable[Descriptor], location: Location) -> Iterator[Location]:
    for number, descriptor in enumerate(descriptors):
        if is_dimension(descriptor.key):
            yield from _strange(descriptor.descriptors, (*location, number, "descriptors"))
        else:
            yield (*location, number, "key")
