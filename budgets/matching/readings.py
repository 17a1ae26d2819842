"""How the descriptors of a call are read as its dimensions."""

from collections.abc import Mapping, Sequence

from budgets.budget import Entries


def with_both_names(stated: Mapping[str, str] | Entries) -> dict[str, str]:
    """The virtual-key guide says `user_id` for what everybody else calls `user`, so each stands for the other."""
    dimensions = dict(stated)
    if "user" in dimensions:
        dimensions.setdefault("user_id", dimensions["user"])
    elif "user_id" in dimensions:
        dimensions["user"] = dimensions["user_id"]
    return dimensions


def readings(descriptors: Sequence[Entries]) -> list[dict[str, str]]:
    """All entries together; where descriptors differ in the value of a key, once as each of them has it."""
    together = {key: value for entries in descriptors for key, value in entries}
    found = [{**together, **dict(entries)} for entries in descriptors]
    return [each for number, each in enumerate(found) if each not in found[:number]] or [together]


def holder(descriptors: Sequence[Entries], subject: Mapping[str, str]) -> int:
    """The first descriptor with all of a subject; the first of all where the subject is spread over several."""
    return next((number for number, entries in enumerate(descriptors) if subject.items() <= dict(entries).items()), 0)
