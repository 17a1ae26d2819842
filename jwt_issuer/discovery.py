"""What a client reads first: OpenID Connect Discovery 1.0, section 3, which RFC 8414 shares."""

from collections.abc import Iterable

from jwt_issuer.keys.signing_key import ALGORITHM

KEY_SET = "/.well-known/jwks.json"
TOKEN_ENDPOINT = "/token"  # noqa: S105 - a path


def discovery(issuer: str, url: str, scopes: Iterable[str]) -> dict[str, object]:
    """`issuer` is the same from wherever it is asked; `url` is where the caller reaches the endpoints.

    There is nobody to log in, so there is no authorization endpoint and no response type.
    """
    return {
        "issuer": issuer,
        "jwks_uri": f"{url}{KEY_SET}",
        "token_endpoint": f"{url}{TOKEN_ENDPOINT}",
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "scopes_supported": sorted(scopes),
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "team", "client_id", "scope", "jti"],
    }
