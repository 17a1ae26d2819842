import pytest
from a2a.utils.errors import InvalidRequestError
from starlette.requests import Request

from agents.server.callers import Callers


def request(*users: bytes) -> Request:
    headers = [(b"host", b"agent"), *((b"x-user-id", user) for user in users)]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("users", "name"),
    [
        ([], ""),
        ([b""], ""),
        ([b"  "], ""),
        ([b" alice@example.com "], "alice@example.com"),
        ([b"alice", b"alice"], "alice"),
        (["zoë".encode()], "zoë".encode().decode("latin-1")),
        ([b"x" * 256], "x" * 256),
    ],
)
def test_the_header_names_the_user(users: list[bytes], name: str) -> None:
    context = Callers().build(request(*users))
    assert context.user.user_name == name
    assert not context.user.is_authenticated
    assert "x-user-id" in context.state["headers"] if users else True


@pytest.mark.parametrize(
    ("users", "words"),
    [
        ([b"x" * 257], "longer than 256"),
        ([b"alice", b"bob"], "more than one user"),
        ([b"alice", b""], "more than one user"),
        ([b"a\tb"], "control characters"),
        ([b"a\x00b"], "control characters"),
        ([b"a\x7f"], "control characters"),
    ],
)
def test_a_name_that_cannot_be_taken_as_it_is_is_refused(users: list[bytes], words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        Callers().build(request(*users))
