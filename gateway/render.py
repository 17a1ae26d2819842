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

CLAIM_OF = {"x-team-id": "team", "x-user-id": "sub"}
"""The headers that the gateway stamps, each from a claim of the token. A caller could choose, or leave out, any other."""

_REQUEST_ID = {"request_headers": {"header_name": "x-request-id", "descriptor_key": "request_id"}}
_STATUS = {"generic_key": {"descriptor_key": "response_status", "descriptor_value": "of the call"}}
_TEAM = {"request_headers": {"header_name": "x-team-id", "descriptor_key": "team"}}


def render(settings: Settings) -> str:
    """The whole configuration as YAML. Raises PolicyError."""
    asked = [each for document in read_documents(settings.policy) for each in document.spec.raw.rate_limits]
    if not asked:
        raise PolicyError(settings.policy, "spec.raw.rateLimits", "is empty, so nothing would ever be asked or charged")
    stamped = _stamped(settings.policy, asked)
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
        "charges": [*(_charge(each, kind) for each in asked for kind in ("input", "output")), _status()],
        "claims": [{"header_name": header, "claim_name": claim} for header, claim in CLAIM_OF.items()],
        "identified": [{"header": {"name": header, "string_match": {"safe_regex": {"regex": ".+"}}}} for header in stamped],
        "lacking": f"The token lacks a claim that the budgets go by: {', '.join(CLAIM_OF[header] for header in stamped)}.",
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


def _status() -> dict[str, Any]:
    """Goes along with each charge, and alone where there was nothing to charge, so that this can be noticed."""
    return {
        "actions": [_STATUS, _TEAM, _REQUEST_ID],
        "hits_addend": {"format": "%RESPONSE_CODE%"},
        "apply_on_stream_done": True,
    }


def _stamped(policy: Path, asked: Iterable[RateLimitActions]) -> list[str]:
    """The headers that the budgets go by; always the team's, for a call without a team has no budget."""
    headers = {"x-team-id"}
    for each in asked:
        headers |= {action.request_headers.header_name.lower() for action in each.actions if action.request_headers}
    foreign = headers - CLAIM_OF.keys()
    if foreign:
        reason = f"asks by {foreign.pop()}, which a caller could choose or leave out; use one of {', '.join(CLAIM_OF)}"
        raise PolicyError(policy, "spec.raw.rateLimits", reason)
    return sorted(headers)


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
