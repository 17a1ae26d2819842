"""From an ASGI request to a `Call` and its answer, without a framework in between: the answer itself takes less time."""

from collections.abc import Callable

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mock_llm.errors import ApiError
from mock_llm.mock import Call, Mock
from mock_llm.request_ids import naming

_JSON = b"application/json"


class Endpoint:
    """Answers POST requests that carry JSON. What the function raises of ApiError is answered and entered as a refusal."""

    def __init__(self, mock: Mock, path: str, answer: Callable[[Call], ASGIApp]) -> None:
        self._mock = mock
        self._path = path
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(self._mock, self._path, headers_of(scope), receive)
        send = naming(send, call.request_id)
        try:
            call.body = await _read_body(call)
            response = self._answer(call)
        except ApiError as error:
            call.refused(error)
            response = error.response()
        except ClientDisconnect:
            call.left()
            return
        await response(scope, receive, send)


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Names are in lower case. Of a header that is sent twice the first counts."""
    return dict(reversed(scope["headers"]))


async def _read_body(call: Call) -> bytes:
    """Raises ApiError (413, 415) for a body that is too large or is not declared as JSON."""
    content_type = call.headers.get(b"content-type", _JSON)
    if content_type != _JSON and content_type.partition(b";")[0].strip().lower() != _JSON:
        said = content_type[:80].decode("latin-1")
        raise ApiError(415, f"Unsupported content type: {said!r}. Send application/json.", None, "unsupported_content_type")
    limit = call.mock.settings.max_body
    body, more = _part(await call.receive())
    if more:
        parts = bytearray(body)
        while more and len(parts) <= limit:
            part, more = _part(await call.receive())
            parts += part
        body = bytes(parts)
    if len(body) > limit:
        text = f"The body of your request is larger than {limit} bytes. Shorten it, or raise MOCK_LLM_MAX_BODY."
        raise ApiError(413, text, None, "request_too_large")
    return body


def _part(message: Message) -> tuple[bytes, bool]:
    """Of a body, and whether there are more."""
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)
