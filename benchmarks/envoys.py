"""Envoys to compare: an LLM that answers at once, a bare proxy in front of it, and the gateway with and without its parts."""

from collections.abc import Collection, Mapping
from typing import Any

import yaml

from gateway.config import Settings
from gateway.render import render

USAGE = {"prompt_tokens": 21, "completion_tokens": 683, "total_tokens": 704}

ANSWER = (
    '{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"finish_reason":"stop",'
    '"message":{"role":"assistant","content":"Yes."}}],"usage":{"prompt_tokens":21,"completion_tokens":683,"total_tokens":704}}'
)

BUDGETS = ("json_to_metadata", "sse_to_metadata", "lua", "check", "charge")
"""The gateway's filters, by a part of their name, that are there for budgets."""


def gateway(beside: Mapping[str, int], port: int, admin_port: int, without: Collection[str] = ()) -> str:
    """`beside` has the ports of `llm`, `jwt_issuer` and `budgets`."""
    told = {name: f"127.0.0.1:{each}" for name, each in beside.items()}
    settings = Settings.model_validate({"port": port, "admin_port": admin_port, **told})
    configuration = yaml.safe_load(render(settings))
    manager = configuration["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    kept = [each for each in manager["http_filters"] if not any(part in each["name"] for part in without)]
    manager["http_filters"] = kept
    names = {each["name"] for each in kept}
    for route in manager["route_config"]["virtual_hosts"][0]["routes"]:
        overrides = route.get("typed_per_filter_config", {})
        route["typed_per_filter_config"] = {name: each for name, each in overrides.items() if name in names}
    return yaml.safe_dump(configuration)


def bare_proxy(llm: int, port: int, admin_port: int) -> str:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "llm"}}
    return yaml.safe_dump(_envoy(port, admin_port, route, [_cluster("llm", llm)]))


STREAM = "".join(
    f"data: {event}\n\n"
    for event in (
        '{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"Yes."}}]}',
        '{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        '{"object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":21,"completion_tokens":683,"total_tokens":704}}',
        "[DONE]",
    )
)


def instant_llm(port: int, admin_port: int, answer: str = ANSWER) -> str:
    content_type = "text/event-stream" if answer == STREAM else "application/json"
    route = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": answer}},
        "response_headers_to_add": [{"header": {"key": "content-type", "value": content_type}}],
    }
    return yaml.safe_dump(_envoy(port, admin_port, route, []))


def _envoy(port: int, admin_port: int, route: dict[str, Any], clusters: list[dict[str, Any]]) -> dict[str, Any]:
    manager = {
        "@type": _type("filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": _type("filters.http.router.v3.Router")}}
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    listener = {"name": "bench", "address": _address(port), "filter_chains": [{"filters": filters}]}
    return {
        "admin": {"address": _address(admin_port)},
        "static_resources": {"listeners": [listener], "clusters": clusters},
    }


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}]
    return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _type(name: str) -> str:
    return f"type.googleapis.com/envoy.extensions.{name}"
