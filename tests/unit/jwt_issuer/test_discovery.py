from jwt_issuer.discovery import discovery


def test_the_endpoints_are_where_the_caller_asks_and_the_issuer_is_who_it_is() -> None:
    document = discovery("agentic-budgets", "http://issuer:8202", [])
    assert document["issuer"] == "agentic-budgets"
    assert document["jwks_uri"] == "http://issuer:8202/.well-known/jwks.json"
    assert document["token_endpoint"] == "http://issuer:8202/token"


def test_it_says_what_may_be_asked_for() -> None:
    document = discovery("agentic-budgets", "http://issuer:8202", iter({"write", "read"}))
    assert document["scopes_supported"] == ["read", "write"]
    assert document["grant_types_supported"] == ["client_credentials"]
    assert document["token_endpoint_auth_methods_supported"] == ["client_secret_basic", "client_secret_post"]
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]


def test_there_is_nobody_to_log_in() -> None:
    document = discovery("agentic-budgets", "http://issuer:8202", [])
    assert document["response_types_supported"] == []
    assert document["subject_types_supported"] == ["public"]
    assert "authorization_endpoint" not in document
