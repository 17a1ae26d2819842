"""The id of a request, which its answer and its entry in the journal both have: the caller's own, or a fresh one."""

from collections.abc import Awaitable, Mapping
from random import Random

from starlette.types import Message, Send

HEADER = b"x-request-id"
LONGEST = 128
"""Bytes of the caller's own that are kept and sent back."""

_CHANCE = Random()  # noqa: S311 - it tells requests apart, and is no secret


def request_id_of(headers: Mapping[bytes, bytes]) -> bytes:
    return headers.get(HEADER, b"")[:LONGEST] or b"req_%032x" % _CHANCE.getrandbits(128)


def naming(send: Send, request_id: bytes) -> Send:
    """A `send` whose answer has the header, unless something nearer to it has given it one."""

    # It hands on what `send` returns rather than await it: an event of a stream then costs one call more, and no coroutine.
    def named(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            headers = message["headers"]
            if all(name != HEADER for name, _ in headers):
                message["headers"] = [*headers, (HEADER, request_id)]
        return send(message)

    return named
