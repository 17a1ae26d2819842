"""Envoy's configuration: the template, filled from the environment."""

import json
from pathlib import Path
from string import Template
from typing import Any

from gateway.asks import HEADER_OF, charges, checks, claims_to_headers, header_for
from gateway.config import Settings

TEMPLATE = Path(__file__).with_name("envoy.yaml")


def render(settings: Settings) -> str:
    """The whole configuration as YAML."""
    dimensions = settings.dimension_names
    values = {
        "host": settings.host,
        "port": settings.port,
        "admin_port": settings.admin_port,
        "issuer": settings.issuer,
        "audience": settings.audience,
        "domain": settings.domain,
        "timeout": settings.timeout,
        "jwks_cache": f"{settings.jwks_cache}s",
        "max_body": settings.max_body,
        "llm": _socket(settings.llm),
        "jwt_issuer": _socket(settings.jwt_issuer),
        "budgets": _socket(settings.budgets),
        "balance": _socket(settings.balance),
        "checks": checks(dimensions),
        "charges": charges(dimensions),
        "claims": claims_to_headers(dimensions),
        "told_to_log": [_told_to_log(name) for name in (*HEADER_OF, *dimensions)],
        "logged_dimensions": {name: f"%DYNAMIC_METADATA(caller:{name})%" for name in dimensions},
    }
    # JSON is YAML: a value keeps its type, and no character of it can become structure.
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute({name: json.dumps(each) for name, each in values.items()})


def _told_to_log(dimension: str) -> dict[str, Any]:
    """A stamped header as metadata, where the access log finds it."""
    return {
        "header": header_for(dimension),
        "on_header_present": {"metadata_namespace": "caller", "key": dimension, "type": "STRING"},
    }


def _socket(address: str) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    return {"address": host, "port_value": int(port)}
