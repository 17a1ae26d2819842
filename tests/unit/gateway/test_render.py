from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import Settings
from gateway.render import render
from service.environment import read_environment

CALL = [
    {"generic_key": {"descriptor_key": "describes", "descriptor_value": "call"}},
    *(
        {"request_headers": {"descriptor_key": key, "header_name": header, "skip_if_absent": True}}
        for key, header in {
            "team": "x-team-id",
            "user": "x-user-id",
            "virtualKey": "x-virtual-key",
            "group": "x-dimension-group",
            "tier": "x-dimension-tier",
            "tenant_id": "x-dimension-tenant_id",
            "cost_center": "x-dimension-cost_center",
        }.items()
    ),
]
REQUEST = {"request_headers": {"descriptor_key": "request_id", "header_name": "x-request-id", "skip_if_absent": True}}


def read_from_body(key: str, field: str) -> dict[str, Any]:
    place = {"key": "llm", "path": [{"key": field}]}
    return {"metadata": {"descriptor_key": key, "metadata_key": place, "source": "DYNAMIC", "skip_if_absent": True}}


def told(key: str, value: str) -> dict[str, Any]:
    return {"generic_key": {"descriptor_key": key, "descriptor_value": value}}


def rendered(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return render(read_environment(Settings))


def manager(configuration: str) -> Any:
    (listener,) = yaml.safe_load(configuration)["static_resources"]["listeners"]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def filters(configuration: str) -> dict[str, Any]:
    return {
        each["name"].removeprefix("envoy.filters.http."): each["typed_config"]
        for each in manager(configuration)["http_filters"]
    }


def test_a_call_is_one_check_and_a_charge_for_each_figure_and_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = filters(rendered(monkeypatch, GATEWAY_DIMENSIONS="cost_center"))
    call = [*CALL, read_from_body("model", "asked_model"), REQUEST]
    assert parts["check"]["rate_limits"] == [
        {"actions": [*call, read_from_body("max_tokens", "max_tokens")], "hits_addend": {"number": 0}}
    ]
    assert parts["charge"]["rate_limits"] == [
        {"actions": [*call, what], "hits_addend": {"format": figure}, "apply_on_stream_done": True}
        for what, figure in (
            (told("usage", "input"), "%DYNAMIC_METADATA(llm:input)%"),
            (told("usage", "output"), "%DYNAMIC_METADATA(llm:output)%"),
            (told("usage", "cached"), "%DYNAMIC_METADATA(llm:cached)%"),
            (told("response_status", "of the call"), "%RESPONSE_CODE%"),
        )
    ]


def test_each_dimension_is_a_claim_a_header_and_a_field_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["group", "tier", "tenant_id", "cost_center", "region"]
    configuration = rendered(monkeypatch, GATEWAY_DIMENSIONS="cost_center, region")
    assert filters(configuration)["jwt_authn"]["providers"]["issuer"]["claim_to_headers"] == [
        {"header_name": "x-team-id", "claim_name": "team"},
        {"header_name": "x-user-id", "claim_name": "sub"},
        *({"header_name": f"x-dimension-{name}", "claim_name": name} for name in names),
    ]
    logged = manager(configuration)["access_log"][0]["typed_config"]["log_format"]["json_format"]
    assert logged["dimensions"] == {name: f"%DYNAMIC_METADATA(caller:{name})%" for name in names}
    told_to_log = [rule["header"] for rule in filters(configuration)["header_to_metadata"]["request_rules"]]
    assert told_to_log == ["x-team-id", "x-user-id", "x-virtual-key", *(f"x-dimension-{name}" for name in names)]


@pytest.mark.parametrize(("added", "names"), [(None, ()), ("", ()), ("cost_center", ("cost_center",))])
def test_the_environment_adds_to_the_dimensions_of_the_guides(
    monkeypatch: pytest.MonkeyPatch, added: str | None, names: tuple[str, ...]
) -> None:
    if added is not None:
        monkeypatch.setenv("GATEWAY_DIMENSIONS", added)
    assert read_environment(Settings).dimension_names == ("group", "tier", "tenant_id", *names)


@pytest.mark.parametrize(
    ("dimensions", "reason"),
    [
        ("Group", "'Group' is not a dimension"),
        ("region,", "'' is not a dimension"),
        ("cost-center", "'cost-center' is not a dimension"),
        ("region,2nd", "'2nd' is not a dimension"),
        ("a:b", "'a:b' is not a dimension"),
        *((name, f"'{name}' has a meaning of its own") for name in ("team", "user", "user_id", "model", "usage", "describes")),
        *((name, f"'{name}' is always there") for name in ("group", "tier", "tenant_id")),
        ("region,cost_center,region", "'region' stands there twice"),
    ],
)
def test_a_wrong_dimension_is_named(monkeypatch: pytest.MonkeyPatch, dimensions: str, reason: str) -> None:
    with pytest.raises(SystemExit, match=f"^GATEWAY_DIMENSIONS is wrong: {reason}"):
        rendered(monkeypatch, GATEWAY_DIMENSIONS=dimensions)


def test_the_environment_reaches_envoy(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"GATEWAY_PORT": "9999", "GATEWAY_LLM": "llm.svc:8080", "GATEWAY_BALANCE": "budgets.svc:81"}
    configuration = rendered(monkeypatch, **environment, GATEWAY_AUDIENCE="a: b", GATEWAY_ISSUER="it's ${port}")
    resources = yaml.safe_load(configuration)["static_resources"]
    addresses = {each["name"]: each["load_assignment"]["endpoints"][0]["lb_endpoints"][0] for each in resources["clusters"]}
    for cluster, host, port in (("llm", "llm.svc", 8080), ("budgets-callers", "budgets.svc", 81)):
        assert addresses[cluster]["endpoint"]["address"]["socket_address"] == {"address": host, "port_value": port}
    assert resources["listeners"][0]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 9999}
    parts = filters(configuration)
    provider = parts["jwt_authn"]["providers"]["issuer"]
    assert (provider["audiences"], provider["issuer"]) == (["a: b"], "it's ${port}")
    assert parts["ext_authz"]["filter_enabled_metadata"]["value"] == {"string_match": {"exact": "it's ${port}"}}


def test_the_story_of_a_request_is_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own headers, then who is it, then what does it ask (is it something we can charge for?), then is there room."""
    assert list(filters(rendered(monkeypatch))) == [
        "health_check",
        "header_mutation",
        "jwt_authn",
        "ext_authz",
        "header_to_metadata",
        "rbac",
        "json_to_metadata",
        "sse_to_metadata",
        "lua",
        "check",
        "charge",
        "router",
    ]


def test_slow_calls_of_one_team_leave_room_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    resources = yaml.safe_load(rendered(monkeypatch))["static_resources"]
    room = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), 10_000)
    breakers = {each["name"]: each.get("circuit_breakers") for each in resources["clusters"]}
    roomy = {"thresholds": [room]}
    assert breakers == {"llm": roomy, "budgets": roomy, "budgets-callers": roomy, "jwt-issuer": None}


def test_a_compressed_answer_is_never_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    (host,) = manager(rendered(monkeypatch))["route_config"]["virtual_hosts"]
    assert host["request_headers_to_remove"] == ["accept-encoding"]


@pytest.mark.parametrize("variable", ["GATEWAY_LLM", "GATEWAY_BALANCE"])
@pytest.mark.parametrize("address", ["somewhere", ":8201", "llm:0", "llm:70000", "llm:http"])
def test_a_wrong_address_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, address: str) -> None:
    with pytest.raises(SystemExit, match=f"{variable} is wrong: an address is written host:port"):
        rendered(monkeypatch, **{variable: address})


def test_a_named_envoy_that_cannot_be_run_is_refused_with_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"ENVOY_BIN is wrong: .*nowhere is not a program that can be run\. It names"):
        rendered(monkeypatch, ENVOY_BIN=str(tmp_path / "nowhere"))
