"""Who may do what in a cluster, as Roles and RoleBindings say it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

MANIFEST = Path(__file__).parents[4] / "kagent" / "jwt-issuer-rbac.yaml"


@dataclass(frozen=True)
class Permission:
    """Of one verb. `name` is None where it is for all objects of the kind."""

    namespace: str
    group: str
    resource: str
    verb: str
    name: str | None


def permissions_of(service_account: str, namespace: str, manifest: Path = MANIFEST) -> frozenset[Permission]:
    documents = list(yaml.safe_load_all(manifest.read_text()))
    subject = {"kind": "ServiceAccount", "name": service_account, "namespace": namespace}
    known = {(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]): each for each in documents}
    assert ("ServiceAccount", namespace, service_account) in known, "the bindings' subject is not in the manifest"
    granted: set[Permission] = set()
    for binding in documents:
        if binding["kind"] == "RoleBinding" and subject in binding["subjects"]:
            at = binding["metadata"]["namespace"]
            assert binding["roleRef"]["apiGroup"] == "rbac.authorization.k8s.io"
            granted.update(_expanded(at, known[binding["roleRef"]["kind"], at, binding["roleRef"]["name"]]))
    return frozenset(granted)


def _expanded(namespace: str, role: dict[str, Any]) -> Iterator[Permission]:
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    for name in rule.get("resourceNames", [None]):
                        yield Permission(namespace, group, resource, verb, name)


def permission_for(granted: frozenset[Permission], wanted: Permission) -> Permission | None:
    """The one that allows it. A create's name is not known to the API when it decides, so a name never allows one."""
    names = (None,) if wanted.verb == "create" else (wanted.name, None)
    return next((each for each in (replace(wanted, name=name) for name in names) if each in granted), None)
