"""The team list: who there is. The issuer mints for each name in it, the runner starts an agent for each team."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from service.yaml_files import UnreadableError, place_in, read_yaml

NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


class TeamsError(ValueError):
    """The team list cannot be used; the text is one sentence: the file, the path in the document and the reason."""


def _checked_name(name: str) -> str:
    if NAME.fullmatch(name) is None:
        raise ValueError(
            f"{name[:80]!r} is not a name: write up to 63 lower-case letters, digits and '-', a letter first and no '-' last"
        )
    return name


Name = Annotated[str, Field(strict=True), AfterValidator(_checked_name)]


class Team(BaseModel):
    """A team; its name and its users' names are Kubernetes names, header values and the `sub` of their tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    description: Annotated[str, Field(strict=True, min_length=1)]
    users: tuple[Name, ...]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    teams: Annotated[tuple[Team, ...], Field(min_length=1)]


def read_teams(path: Path) -> tuple[Team, ...]:
    """The teams in the file's order. Raises TeamsError where the file cannot be read, or says anything but a team list.

    A name stands for one subject only: no two teams, no two users, and no team and user may share one.
    """
    try:
        documents = read_yaml(path)
    except UnreadableError as error:
        raise TeamsError(f"{path}: the team list {error}.") from None
    if len(documents) > 1:
        raise TeamsError(f"{path}: the team list is {len(documents)} documents: put all teams into one.")
    try:
        teams = _Document.model_validate(documents[0] if documents else None).teams
    except ValidationError as error:
        raise TeamsError(_sentence(path, error)) from None
    _refuse_shared_names(path, teams)
    return teams


def _refuse_shared_names(path: Path, teams: tuple[Team, ...]) -> None:
    taken: dict[str, str] = {}
    for t, team in enumerate(teams):
        places = {f"teams[{t}].name": team.name} | {f"teams[{t}].users[{u}]": user for u, user in enumerate(team.users)}
        for place, name in places.items():
            if name in taken:
                raise TeamsError(f"{path}: {place}: the name {name!r} is taken by {taken[name]}.")
            taken[name] = place


def _sentence(path: Path, error: ValidationError) -> str:
    problem = error.errors()[0]
    place = place_in(problem["loc"])
    reason = {
        "missing": "this field is missing",
        "extra_forbidden": "this field is unknown",
        "model_type": "a mapping is expected",
        "tuple_type": "a list is expected",
        "string_type": "text is expected",
        "string_too_short": "the text is empty",
        "too_short": "the list is empty",
    }.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    return f"{path}: {place or 'the document'}: {reason}."
