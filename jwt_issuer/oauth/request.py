"""A request for a token as it arrives: the form, and who says to be the client (RFC 6749, 2.3.1 and 4.4.2)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.requests import ClientDisconnect, Request

from jwt_issuer.oauth.errors import TokenError, body_too_large, invalid_client, invalid_request

FORM = "application/x-www-form-urlencoded"
GRANT = "client_credentials"
LARGEST_BODY = 8 * 1024
MOST_FIELDS = 100

_PARAMETERS = frozenset({"grant_type", "client_id", "client_secret", "scope", "audience"})


@dataclass(frozen=True)
class TokenRequest:
    """Nothing of it is proven. None stands for what was not asked for."""

    client_id: str
    secret: str = field(repr=False)
    scope: str | None
    audience: str | None


async def read_token_request(request: Request) -> TokenRequest:
    """Raises TokenError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise invalid_request(f"The body is not a form. Send it as {FORM}.")
    form = _form(await _body(request))
    client_id, secret = _credentials(request, form)
    grant = form.get("grant_type")
    if grant is None:
        raise invalid_request(f"grant_type is missing. Send grant_type={GRANT}.")
    if grant != GRANT:
        raise TokenError("unsupported_grant_type", f"There is no such grant here. Send grant_type={GRANT}.")
    return TokenRequest(client_id, secret, form.get("scope"), form.get("audience"))


async def _body(request: Request) -> bytes:
    """Reads no further than the chunk that is beyond the limit."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY:
                raise body_too_large(LARGEST_BODY)
    except ClientDisconnect:
        # Nobody hears this; it is counted.
        raise invalid_request("The body ended early. Send all of it.") from None
    return body


def _form(body: bytes) -> Mapping[str, str]:
    """The parameters that mean something here and have a value; one without is as good as absent (RFC 6749, 3.2)."""
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise invalid_request(f"The body is not a form in UTF-8 of up to {MOST_FIELDS} fields. Encode it as {FORM}.") from None
    if any("\0" in name or "\0" in value for name, value in fields):
        raise invalid_request("The form holds the character NUL. Leave it out.")
    known = [(name, value) for name, value in fields if name in _PARAMETERS]
    form = dict(known)
    if len(form) < len(known):
        raise invalid_request("A parameter stands in the form twice. Send each once.")
    return {name: value for name, value in form.items() if value}


def _credentials(request: Request, form: Mapping[str, str]) -> tuple[str, str]:
    """The id and the secret, from the header or from the form."""
    headers = request.headers.getlist("authorization")
    if not headers:
        if "client_id" not in form or "client_secret" not in form:
            raise invalid_client()
        return form["client_id"], form["client_secret"]
    if len(headers) > 1 or "client_secret" in form:
        raise invalid_request("The client authenticates in two ways. Send its secret in one header, or in the form.")
    client_id, secret = _basic(headers[0])
    if form.get("client_id", client_id) != client_id:
        raise invalid_request("client_id in the form is not the one in the Authorization header. Send one of them.")
    return client_id, secret


def _basic(header: str) -> tuple[str, str]:
    """RFC 7617, and inside of it each half form-encoded, as RFC 6749 has it."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise invalid_client()
    encoded = encoded.strip()
    try:
        octets = base64.b64decode(encoded, validate=True)
        # Older Pythons take more padding than there is.
        if base64.b64encode(octets) != encoded.encode():
            raise invalid_client()
        client_id, _, secret = (_unquoted(each) for each in octets.partition(b":"))
    except ValueError:
        raise invalid_client() from None
    if not client_id or not secret or "\0" in client_id + secret:
        raise invalid_client()
    return client_id, secret


def _unquoted(octets: bytes) -> str:
    return unquote_to_bytes(octets.replace(b"+", b" ")).decode()
