from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import Settings
from gateway.render import render
from service.environment import read_environment
from service.rate_limit_config import PolicyError

POLICY = """\
apiVersion: ratelimit.solo.io/v1alpha1
kind: RateLimitConfig
metadata: {name: odd}
spec:
  raw:
    descriptors:
      - {key: team, value: dba, rateLimit: {requestsPerUnit: 1, unit: HOUR}}
    rateLimits:
      - actions:
          - genericKey: {descriptorValue: "${port}: {a}, 'b' \\"c\\""}
          - requestHeaders: {descriptorKey: team, headerName: X-Team-ID}
        type: TOKEN
"""


def settings(monkeypatch: pytest.MonkeyPatch, folder: Path, policy: str = POLICY, **environment: str) -> Settings:
    file = folder / "policy.yaml"
    file.write_text(policy, encoding="utf-8")
    for name, value in {"GATEWAY_POLICY": str(file), **environment}.items():
        monkeypatch.setenv(name, value)
    return read_environment(Settings)


def filters(configuration: str) -> dict[str, Any]:
    (listener,) = yaml.safe_load(configuration)["static_resources"]["listeners"]
    chain = listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
    return {each["name"]: each["typed_config"] for each in chain}


def test_each_asked_descriptor_is_one_check_and_two_charges_tied_to_the_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = (
        POLICY.replace("genericKey: {descriptorValue", "genericKey: {descriptorKey: window, descriptorValue")
        .replace("${port}: {a}, 'b' \\\"c\\\"", "hour")
        .replace("- {key: team, value: dba, rate", "- {key: window, value: hour, descriptors: [], rate")
    )
    parts = filters(render(settings(monkeypatch, tmp_path, policy)))
    window = {"generic_key": {"descriptor_key": "window", "descriptor_value": "hour"}}
    team = {"request_headers": {"header_name": "X-Team-ID", "descriptor_key": "team"}}
    request = {"request_headers": {"header_name": "x-request-id", "descriptor_key": "request_id"}}
    assert parts["check"]["rate_limits"] == [{"actions": [window, team], "hits_addend": {"number": 0}}]
    assert parts["charge"]["rate_limits"] == [
        {
            "actions": [window, team, request],
            "hits_addend": {"format": f"%DYNAMIC_METADATA(llm:{kind})%"},
            "apply_on_stream_done": True,
        }
        for kind in ("input", "output")
    ] + [
        {
            "actions": [
                {"generic_key": {"descriptor_key": "response_status", "descriptor_value": "of the call"}},
                {"request_headers": {"header_name": "x-team-id", "descriptor_key": "team"}},
                request,
            ],
            "hits_addend": {"format": "%RESPONSE_CODE%"},
            "apply_on_stream_done": True,
        }
    ]


def test_no_value_of_the_policy_can_become_structure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (check,) = filters(render(settings(monkeypatch, tmp_path)))["check"]["rate_limits"]
    assert check["actions"][0] == {
        "generic_key": {"descriptor_key": "generic_key", "descriptor_value": "${port}: {a}, 'b' \"c\""}
    }


def test_the_environment_reaches_envoy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rendered = render(settings(monkeypatch, tmp_path, GATEWAY_PORT="9999", GATEWAY_LLM="llm.svc:8080", GATEWAY_AUDIENCE="a: b"))
    clusters = {each["name"]: each["load_assignment"] for each in yaml.safe_load(rendered)["static_resources"]["clusters"]}
    address = clusters["llm"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    assert address == {"address": "llm.svc", "port_value": 8080}
    listener = yaml.safe_load(rendered)["static_resources"]["listeners"][0]["address"]["socket_address"]
    assert listener == {"address": "127.0.0.1", "port_value": 9999}
    assert filters(rendered)["envoy.filters.http.jwt_authn"]["providers"]["issuer"]["audiences"] == ["a: b"]


def test_the_story_of_a_request_is_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The check must follow the token (who is it?) and the reading of the body (is it something we can charge for?)."""
    names = list(filters(render(settings(monkeypatch, tmp_path))))
    order = ["jwt_authn", "rbac", "json_to_metadata", "sse_to_metadata", "lua", "check", "charge", "router"]
    assert [name.removeprefix("envoy.filters.http.") for name in names if not name.endswith("health_check")] == order


def test_a_compressed_answer_is_never_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (listener,) = yaml.safe_load(render(settings(monkeypatch, tmp_path)))["static_resources"]["listeners"]
    routes = listener["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"][0]
    assert routes["request_headers_to_remove"] == ["accept-encoding"]


def test_a_policy_that_asks_for_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    silent = POLICY[: POLICY.index("    rateLimits:")]
    with pytest.raises(PolicyError, match=r"policy\.yaml: spec\.raw\.rateLimits: is empty"):
        render(settings(monkeypatch, tmp_path, silent))


@pytest.mark.parametrize("address", ["somewhere", ":8201", "llm:0", "llm:70000", "llm:http"])
def test_a_wrong_address_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str) -> None:
    with pytest.raises(SystemExit, match="GATEWAY_LLM is wrong: an address is written host:port"):
        settings(monkeypatch, tmp_path, GATEWAY_LLM=address)


def test_a_budget_by_a_header_of_the_callers_own_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever left the header out would have no limit."""
    with pytest.raises(PolicyError, match=r"rateLimits: asks by x-project, which a caller could choose or leave out"):
        render(settings(monkeypatch, tmp_path, POLICY.replace("X-Team-ID", "X-Project")))


def test_every_claim_that_the_budgets_go_by_must_be_in_the_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    per_user = POLICY.replace("headerName: X-Team-ID", "headerName: X-User-ID")
    rules = filters(render(settings(monkeypatch, tmp_path, per_user)))["envoy.filters.http.rbac"]["rules"]
    (principal,) = rules["policies"]["identified"]["principals"]
    assert [each["header"]["name"] for each in principal["and_ids"]["ids"]] == ["x-team-id", "x-user-id"]


def test_a_named_envoy_that_cannot_be_run_is_refused_with_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"ENVOY_BIN is wrong: .*nowhere is not a program that can be run\. It names"):
        settings(monkeypatch, tmp_path, ENVOY_BIN=str(tmp_path / "nowhere"))
