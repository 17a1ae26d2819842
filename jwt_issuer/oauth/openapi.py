"""`POST /token` as OpenAPI 3.1 describes an operation."""

from typing import Any

from jwt_issuer.oauth.errors import CODES
from jwt_issuer.oauth.request import FORM, GRANT, LARGEST_BODY

_TEXT = {"type": "string", "pattern": r"^[ -~]+$", "maxLength": 256}

_REQUEST = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"type": "string", "const": GRANT},
        "scope": _TEXT | {"description": "Some of the client's scopes, with spaces between. All where it is left out."},
        "audience": _TEXT | {"description": "One of the client's audiences. The first where it is left out."},
        "client_id": _TEXT | {"description": "With client_secret, where there is no Basic authentication."},
        "client_secret": _TEXT | {"format": "password"},
    },
    "dependentRequired": {"client_secret": ["client_id"]},
}

_TOKEN = {
    "type": "object",
    "required": ["access_token", "token_type", "expires_in"],
    "additionalProperties": False,
    "properties": {
        "access_token": {"type": "string", "description": "A JSON Web Token."},
        "token_type": {"type": "string", "const": "Bearer"},
        "expires_in": {"type": "integer", "minimum": 1, "description": "Seconds."},
        "scope": {"type": "string", "description": "What the token is good for; left out where the client has no scopes."},
    },
}

_ERROR = {
    "type": "object",
    "required": ["error", "error_description"],
    "additionalProperties": False,
    "properties": {"error": {"type": "string", "enum": list(CODES)}, "error_description": {"type": "string"}},
}

_RETRY_AFTER = {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}}
_CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}


def _refusal(description: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"description": description, "headers": headers or {}, "content": {"application/json": {"schema": _ERROR}}}


OPERATION: dict[str, Any] = {
    "summary": "A token for a client",
    "description": "The client credentials grant of RFC 6749, section 4.4. A client shows its id and secret in the form, or in "
    "Basic authentication (each form-encoded).",
    "requestBody": {"required": True, "content": {FORM: {"schema": _REQUEST}}},
    "responses": {
        "200": {"description": "A token.", "content": {"application/json": {"schema": _TOKEN}}},
        "400": _refusal("The request is malformed, or asks for what the client may not have."),
        "401": _refusal("No client is known by this id and secret.", _CHALLENGE),
        "413": _refusal(f"The body has more than {LARGEST_BODY} bytes."),
        "429": _refusal("Attempts have failed too often.", _RETRY_AFTER),
        "503": _refusal("No token can be issued at the moment.", _RETRY_AFTER),
    },
}
