"""Who calls: the user whom the caller names. It decides whose tasks are seen; what is charged, the agent's token decides."""

from a2a.auth.user import UnauthenticatedUser, User
from a2a.server.routes.common import DefaultServerCallContextBuilder
from a2a.utils.errors import InvalidRequestError
from starlette.requests import Request

HEADER = "x-user-id"

LONGEST = 256
"""Characters of a user's name."""


class NamedUser(User):
    """The caller's word for it, and nobody has checked it: as far as it is to be believed, the network sees to that."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def is_authenticated(self) -> bool:
        return False

    @property
    def user_name(self) -> str:
        return self._name


class Callers(DefaultServerCallContextBuilder):
    """The user is named by `x-user-id`, as kagent's controller sends it, and is "" where nobody is named.

    Stores keep tasks apart by that name. One that cannot be taken as it is is refused: cut short, it would be another's.
    """

    def build_user(self, request: Request) -> User:
        """Raises InvalidRequestError. The name's characters are the header's bytes (Latin-1)."""
        names = {name.strip() for name in request.headers.getlist(HEADER)}
        if len(names) > 1:
            raise InvalidRequestError(f"The header {HEADER} names more than one user: send it once.")
        name = names.pop() if names else ""
        if len(name) > LONGEST:
            raise InvalidRequestError(f"The header {HEADER} is longer than {LONGEST} characters: send the user's id.")
        if any(ord(character) < 32 or ord(character) == 127 for character in name):
            raise InvalidRequestError(f"The header {HEADER} holds control characters: send the user's id.")
        return NamedUser(name) if name else UnauthenticatedUser()
