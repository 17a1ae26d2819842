"""Envoy's configuration: the template, filled from the environment and from the budget policy.

The policy's `rateLimits` say which descriptors to ask with. Each becomes one check (0 hits, before the call) and two charges
(the input and the output tokens, after it), tied to their request by its id.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from string import Template
from typing import Any

from gateway.config import Settings
from service.rate_limit_config import Action, PolicyError, RateLimitActions, read_documents

TEMPLATE = Path(__file__).with_name("envoy.yaml")

_REQUEST_ID = {"request_headers": {"header_name": "x-request-id", "descriptor_key": "request_id"}}


def render(settings: Settings) -> str:
    """The whole configuration as YAML. Raises PolicyError."""
    asked = [each for document in read_documents(settings.policy) for each in document.spec.raw.rate_limits]
    if not asked:
        raise PolicyError(settings.policy, "spec.raw.rateLimits", "is empty, so nothing would ever be asked or charged")
    values = {
        "host": settings.host,
        "port": settings.port,
        "admin_port": settings.admin_port,
        "issuer": settings.issuer,
        "audience": settings.audience,
        "domain": settings.domain,
        "timeout": settings.timeout,
        "max_body": settings.max_body,
        "llm": _socket(settings.llm),
        "jwt_issuer": _socket(settings.jwt_issuer),
        "budgets": _socket(settings.budgets),
        "checks": [_check(each) for each in asked],
        "charges": [_charge(each, kind) for each in asked for kind in ("input", "output")],
    }
    # JSON is YAML: a value keeps its type, and no character of it can become structure.
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute({name: json.dumps(each) for name, each in values.items()})


def _check(asked: RateLimitActions) -> dict[str, Any]:
    return {"actions": list(_actions(asked.actions)), "hits_addend": {"number": 0}}


def _charge(asked: RateLimitActions, kind: str) -> dict[str, Any]:
    return {
        "actions": [*_actions(asked.actions), _REQUEST_ID],
        "hits_addend": {"format": f"%DYNAMIC_METADATA(llm:{kind})%"},
        "apply_on_stream_done": True,
    }


def _actions(actions: Iterable[Action]) -> Iterable[dict[str, Any]]:
    for action in actions:
        if action.generic_key:
            key = action.generic_key
            yield {"generic_key": {"descriptor_key": key.descriptor_key, "descriptor_value": key.descriptor_value}}
        if action.request_headers:
            header = action.request_headers
            yield {"request_headers": {"header_name": header.header_name, "descriptor_key": header.descriptor_key}}


def _socket(address: str) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    return {"address": host, "port_value": int(port)}
