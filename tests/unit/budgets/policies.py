"""Small policies for tests."""

import json
from collections.abc import Mapping
from pathlib import Path

HEAD = """\
apiVersion: ratelimit.solo.io/v1alpha1
kind: RateLimitConfig
metadata: {name: team-token-budget}
spec:
  raw:
"""

ONE_TEAM = (
    HEAD
    + """\
    descriptors:
      - key: team
        value: dba
        rateLimit: {requestsPerUnit: 5000, unit: HOUR}
    rateLimits:
      - actions: [{requestHeaders: {descriptorKey: team, headerName: X-Team-ID}}]
        type: TOKEN
"""
)

TWO_WINDOWS = (
    HEAD
    + """\
    descriptors:
      - key: window
        value: hour
        descriptors:
          - {key: team, value: dba, rateLimit: {requestsPerUnit: 5000, unit: HOUR}}
      - key: window
        value: day
        descriptors:
          - {key: team, value: dba, rateLimit: {requestsPerUnit: 50000, unit: DAY}}
          - {key: team, rateLimit: {requestsPerUnit: 100, unit: DAY}}
    rateLimits:
      - actions:
          - genericKey: {descriptorKey: window, descriptorValue: hour}
          - requestHeaders: {descriptorKey: team, headerName: X-Team-ID}
        type: TOKEN
      - actions:
          - genericKey: {descriptorKey: window, descriptorValue: day}
          - requestHeaders: {descriptorKey: team, headerName: X-Team-ID}
        type: TOKEN
"""
)

HOUR_DBA = (("window", "hour"), ("team", "dba"))
DAY_DBA = (("window", "day"), ("team", "dba"))


def write(folder: Path, text: str) -> Path:
    file = folder / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def limit(per: int, unit: str = "second") -> dict[str, object]:
    """The `rate_limit` block of an envoyproxy/ratelimit file."""
    return {"unit": unit, "requests_per_unit": per}


def ratelimit_file(*descriptors: Mapping[str, object], domain: str = "tests") -> str:
    return json.dumps({"domain": domain, "descriptors": descriptors})


def entry(name: str = "spend", subject: Mapping[str, str] | None = None, **fields: object) -> dict[str, object]:
    """An entry of a budget document: 100 tokens a rolling day, blocking, but for what `fields` say."""
    stated = {
        "limit": {"unit": "Tokens", "amount": 100},
        "window": {"unit": "Day"},
        "onBudgetExceeded": "Block",
        **fields,
    }
    return {"name": name, **({} if subject is None else {"subject": subject}), **stated}


def budget_document(*entries: Mapping[str, object], name: str = "limits", namespace: str | None = None) -> str:
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return document("enterpriseagentgateway.solo.io/v1alpha1", "EnterpriseAgentgatewayBudget", metadata, {"budgets": entries})


def enforcement(namespaces: Mapping[str, object], name: str = "enforcement") -> str:
    spec = {
        "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gateway"}],
        "traffic": {"entBudgetEnforcement": {"discovery": {"namespaces": namespaces}}},
    }
    return document("enterpriseagentgateway.solo.io/v1alpha1", "EnterpriseAgentgatewayPolicy", {"name": name}, spec)


def key_policy(authentication: Mapping[str, object], name: str = "keys") -> str:
    spec = {"targetRefs": [], "traffic": {"apiKeyAuthentication": authentication, "rateLimit": {"global": {}}}}
    return document("agentgateway.dev/v1alpha1", "AgentgatewayPolicy", {"name": name}, spec)


def secret(name: str = "keys", **fields: object) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, **fields})


def document(version: str, kind: str, metadata: Mapping[str, object], spec: Mapping[str, object]) -> str:
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})


def lay_out(folder: Path, files: Mapping[str, str]) -> Path:
    """Files by their path in the folder."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder
