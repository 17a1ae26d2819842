"""The Roles in kagent/jwt-issuer-rbac.yaml: enough, and no more."""

from pathlib import Path

import pytest
import yaml

from jwt_issuer.cluster import Cluster
from jwt_issuer.keys.ring import KeyRing
from jwt_issuer.keys.signing_key import SigningKey
from jwt_issuer.stores import StoreError
from jwt_issuer.tokens import subjects_of
from service.teams import read_teams
from tests.integration.jwt_issuer.cluster.conftest import OpenCluster
from tests.integration.jwt_issuer.cluster.kubernetes_api import KubernetesApi
from tests.integration.jwt_issuer.cluster.kubernetes_rbac import MANIFEST, Permission, permissions_of

SUBJECTS = subjects_of(read_teams(Path(__file__).parents[4] / "policy" / "teams.yaml"))
KINDS = {"ServiceAccount": "v1", "Role": "rbac.authorization.k8s.io/v1", "RoleBinding": "rbac.authorization.k8s.io/v1"}


def do_everything(cluster: Cluster, times: int) -> None:
    for round_ in range(times):
        assert cluster.lease.leads()
        cluster.keys.update(lambda ring: ring.signing_for(60, 1) if ring else KeyRing.of(SigningKey.generate(), 1))
        cluster.tokens.publish(f"[{round_}]".encode())
        for subject in SUBJECTS:
            cluster.tokens.put(subject.name, subject.team, f"{round_}.b.c")
    cluster.lease.release()


def test_every_permission_is_used_and_nothing_else_is_asked_for(cluster: Cluster, api: KubernetesApi) -> None:
    do_everything(cluster, times=2)

    assert api.used == api.granted
    assert {each.status for each in api.asked} == {200, 201, 404}


def test_the_tokens_of_the_team_list_are_named(api: KubernetesApi) -> None:
    named = {each.name for each in api.granted if each.namespace == "kagent" and each.verb == "update"}

    assert named == {f"jwt-{subject.name}" for subject in SUBJECTS}


def test_nothing_is_granted_to_whom_it_is_not_meant() -> None:
    documents = list(yaml.safe_load_all(MANIFEST.read_text()))

    assert {each["kind"]: each["apiVersion"] for each in documents} == KINDS
    for binding in (each for each in documents if each["kind"] == "RoleBinding"):
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "jwt-issuer", "namespace": "agentic-budgets"}]


def test_verbs_that_show_or_spoil_others_secrets_are_not_granted() -> None:
    granted = permissions_of("jwt-issuer", "agentic-budgets")

    assert {each.verb for each in granted} == {"get", "update", "create"}
    assert not [each for each in granted if each.verb != "create" and each.name is None]


OWN = "agentic-budgets"
REFUSED = [
    (Permission(OWN, "", "secrets", "get", "jwt-issuer-keys"), "get secrets/jwt-issuer-keys in the namespace agentic-budgets"),
    (Permission(OWN, "", "secrets", "create", None), "create secrets/jwt-issuer-keys in the namespace agentic-budgets"),
    (Permission(OWN, "", "secrets", "update", "jwt-issuer-keys"), "update secrets/jwt-issuer-keys in the namespace"),
    (Permission(OWN, "", "configmaps", "create", None), "create configmaps/jwt-issuer-jwks in the namespace agentic-budgets"),
    (Permission("kagent", "", "secrets", "update", "jwt-dba"), "update secrets/jwt-dba in the namespace kagent"),
    (Permission(OWN, "coordination.k8s.io", "leases", "create", None), "create leases/jwt-issuer in the namespace"),
]


@pytest.mark.parametrize(("missing", "named"), REFUSED, ids=[named for _, named in REFUSED])
def test_what_is_missing_is_named(opened: OpenCluster, api: KubernetesApi, missing: Permission, named: str) -> None:
    assert missing in api.granted
    api.granted -= {missing}

    with pytest.raises(StoreError, match=rf"The issuer may not {named}.* \(403\). Grant .* kagent/jwt-issuer-rbac.yaml"):
        do_everything(opened(), times=2)


def test_a_subject_that_is_not_in_the_role_is_refused_alone(cluster: Cluster, api: KubernetesApi) -> None:
    cluster.tokens.put("alice", "dba", "a.b.c")

    with pytest.raises(StoreError, match="may not get secrets/jwt-dave in the namespace kagent"):
        cluster.tokens.put("dave", "dba", "a.b.c")
    assert api.secret("kagent", "jwt-alice")["token"] == "a.b.c"
